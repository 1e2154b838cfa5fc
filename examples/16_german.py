# Try it without an account. The recorded caller speaks English, and so does the local model. Every
# sentence of the line itself is German, such as what the human hears before they accept:
#
#     hookflash call --agent examples/16_german.py --human accepts
#
# On a real line, put your own numbers below: hookflash serve examples/16_german.py
"""An agent that answers in German: all that callers and humans hear is in its language."""

from hookflash import Agent, Phrases, Target, Warm

agent = Agent(
    "fahrradladen",
    language="de",
    carrier_voice="Polly.Vicki-Neural",  # the voice that speaks without the model
    phrases=Phrases(
        next_in_queue="Sie sind gleich dran. Bitte bleiben Sie kurz am Apparat.",
    ),
    greeting="Guten Tag, Fahrradladen am Fluss. Was kann ich für Sie tun?",
    record=True,  # callers hear: Dieses Gespräch wird aufgezeichnet.
    instructions="""
    Sie sind der Empfang eines Fahrradladens. Antworten Sie in ein oder zwei kurzen Sätzen, auf
    Deutsch. Verbinden Sie, sobald jemand mit einem Menschen sprechen möchte.
    Wir haben montags bis freitags von neun bis achtzehn Uhr geöffnet.
    """,
)

agent.handoff(
    "werkstatt",
    when="der Anrufer möchte mit jemandem sprechen oder fragt nach einer Reparatur",
    plan=Warm(Target.phone("+15550101"), ring_seconds=15, otherwise="voicemail"),
)
