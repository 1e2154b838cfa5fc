from __future__ import annotations

from hookflash.models.openai.options import SemanticVad, ServerVad
from hookflash.server.assembly import realtime_options

from ..settings_parts import settings_of


def test_the_owners_settings_become_the_models_options() -> None:
    options = realtime_options(settings_of(vad_threshold=0.7, vad_silence_ms=800, log_timing=True))
    assert options.turn_detection == ServerVad(
        threshold=0.7, prefix_padding_ms=300, silence_duration_ms=800
    )
    assert options.noise_reduction == "near_field"
    assert options.log_timing


def test_endpointing_by_sense_and_no_noise_reduction_can_be_chosen() -> None:
    settings = settings_of(vad="semantic_vad", vad_eagerness="high", noise_reduction="off")
    options = realtime_options(settings)
    assert options.turn_detection == SemanticVad(eagerness="high")
    assert options.noise_reduction is None
