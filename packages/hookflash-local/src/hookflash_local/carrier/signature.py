"""The signature that Twilio puts on what it sends. No I/O.

base64(HMAC-SHA1(auth token, S)), where S is the public URL as it stands in the configuration or
in the TwiML (without its fragment), followed, for a form, by every name and value, sorted by
name, with no delimiter; repeated values of one name are sorted and sent once.
Source: Twilio, Security; Webhooks security. For a media socket S is the wss URL alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping


def sign(auth_token: str, url: str, form: Mapping[str, str] | None = None) -> str:
    """Return the value of X-Twilio-Signature."""
    signed = url.partition("#")[0]
    signed += "".join(name + value for name, value in sorted((form or {}).items()))
    digest = hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()
