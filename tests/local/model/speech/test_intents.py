import pytest

from hookflash_local import audio
from hookflash_local.model.speech.intents import (
    Intent,
    recognize_intent,
    says_no,
    says_yes,
    wants_person,
)

ASKING = """\
can i talk to a real person
human
Representative, please.
operator
Agent!
I want to speak with somebody in billing.
I'd like to speak the customer support
put me through to sales please
Could you connect me with someone
let me talk to your manager
i need a human being
is there a person I can talk to
are you a robot? I want to talk to a human
I don't want to talk to a machine
I don't want to talk to you, give me a human.
give me a supervisor right now
can you transfer me to a colleague
I would like to talk to Maria
get me an agent
no robots please
get me through to the front desk
is there anyone I can speak to
I'd rather speak to a person
customer service
please connect me
I need someone to talk to
Can I get a representative?
Could I please speak with a human agent?
Hello? Can I speak to a live person?
yes i would like to talk to support
would you mind putting me through to accounts, i mean put me through to accounts
hand me over to a colleague please
escalate this
Is there anybody there I could speak with?
I need some help from a real human being.
Would you mind connecting me to one of your staff?
You're not helping. Get me a supervisor.
You're not helping get me a supervisor.
Can I not speak to someone?
I wanted to walk to a human.
Can I go to an agent?
Could I be transferred to accounts?
I'd like to be put through to somebody else.
this is an emergency transfer me right now"""

NOT_ASKING = """\
are you a real person
are you human?
am i talking to a robot
I want to talk about my invoice
can I talk to you about my order
I spoke to someone yesterday
i was talking to a representative last week about this
don't transfer me
I don't need a human
no, don't put me through
please don't connect me to anybody
put me on hold
I need somebody to look at my boiler
how many people can come
how do I transfer money to my account
is anybody there
can somebody help me with my order
my agent number is 45
the person who called me said it was ready
do you have a support plan
what does your service cost
I need support with my printer
does the manager work on saturday
I need help
what is customer service's phone number
they transferred me twice
they connected me to you
I need a person's name
We will be three people
it was a human error
can somebody call me back
Stop recording please.
I do not want this call recorded
do you transfer money to other banks
Yesterday I was transferred to the billing department.
how can money be transferred to my account
I want to walk to the shop
can I go to the station by bus
I left a message with your agent

..."""


@pytest.mark.parametrize("said", ASKING.splitlines())
def test_a_request_for_a_human_is_recognised(said):
    assert wants_person(said)


@pytest.mark.parametrize("said", NOT_ASKING.splitlines())
def test_talk_about_people_and_transfers_is_no_request_for_a_human(said):
    assert not wants_person(said)


@pytest.mark.parametrize("name", audio.names())
def test_exactly_the_recordings_that_ask_for_a_human_are_recognised(name):
    asking = name.startswith(("speak-to", "tts-human", "tts-agent", "tts-emergency"))
    assert wants_person(audio.load(name).transcript) == asking


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Yes please.", Intent.YES),
        ("Yeah.", Intent.YES),
        ("Nope.", Intent.NO),
        ("No, that's not right.", Intent.NO),
        ("Okay, thank you. Goodbye.", Intent.GOODBYE),
        ("That's all, thanks.", Intent.GOODBYE),
        ("Thank you very much.", Intent.THANKS),
        ("And you repeat that more slowly, please.", Intent.REPEAT),
        ("Sorry, what did you say?", Intent.REPEAT),
        ("Wait, stop, hold on a second.", Intent.WAIT),
        ("No, wait.", Intent.WAIT),
        ("Are you a real person?", Intent.IDENTITY),
        ("Am I talking to a robot?", Intent.IDENTITY),
        ("Hello?", Intent.GREETING),
        ("Could somebody call me back?", Intent.CALLBACK),
        ("Can I leave a message for your manager?", Intent.MESSAGE),
        ("Stop recording please.", Intent.STOP_RECORDING),
        ("I don't want to be recorded.", Intent.STOP_RECORDING),
        ("Please delete the recording.", Intent.STOP_RECORDING),
        ("Is this call recorded?", None),
        ("I do not know whether this is recorded.", None),
        ("Good morning!", Intent.GREETING),
        ("What are your opening hours on Saturday?", None),
        ("Yes, I would like to know what a new wheel costs.", None),
        ("Thanks, and where is my order with the number 4571?", None),
        ("", None),
    ],
)
def test_a_plain_intent_is_recognised(said, expected):
    assert recognize_intent(said) is expected


def test_yes_and_no_count_whatever_follows():
    assert says_yes("Yes, and please be quick about it, I have a train to catch")
    assert says_no("No, I would rather you did not do that at this time of the day")
    assert not says_yes("I do not know") and not says_no("I know")
