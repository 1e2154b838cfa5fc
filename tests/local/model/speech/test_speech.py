from hookflash_local.model.speech import SpeechOptions, load_components
from hookflash_local.model.speech.chat import ChatDialogueManager
from hookflash_local.model.speech.receptionist import Receptionist


def test_building_reports_its_progress_to_the_end():
    told = []
    components = load_components(lambda what, done: told.append((what, done)), SpeechOptions())
    assert told[0] == ("checking the weights", 0.0)
    assert told[-1] == ("ready", 1.0)
    assert [done for _, done in told] == sorted(done for _, done in told)
    assert isinstance(components.dialogue_manager, Receptionist)


def test_with_an_endpoint_the_mind_is_a_language_model(components):
    from hookflash_local.model.speech import _dialogue_manager

    options = SpeechOptions(llm_url="http://127.0.0.1:1/v1", llm_model="small")
    assert isinstance(_dialogue_manager(options), ChatDialogueManager)
