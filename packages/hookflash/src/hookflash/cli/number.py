"""`hookflash number`: show or set the webhooks of a telephone number."""

from __future__ import annotations

from pathlib import Path

import click


@click.command
@click.argument("number", metavar="+15550100")
@click.option("--set", "sets", is_flag=True, help="Set the three webhooks of this line.")
@click.option("--settings", "settings_file", type=click.Path(path_type=Path), help="Settings file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(number: str, sets: bool, settings_file: Path | None, as_json: bool) -> int:
    """Show or set the webhooks of a number at Twilio.

    The webhooks of this line are HOOKFLASH_PUBLIC_URL and /twilio/voice for calls and as their
    fallback, and /twilio/status for status changes. Exits with 1 if the number has others.
    """
    import asyncio

    import msgspec

    from hookflash.carriers.twilio.number_webhooks import NumberWebhooks, TwilioNumbers
    from hookflash.settings import Settings

    settings = Settings.load(file=settings_file)
    settings.check_carrier()
    wanted = NumberWebhooks.of_line(settings.server.public_url or "")

    async def look() -> NumberWebhooks:
        async with TwilioNumbers(
            account_sid=settings.twilio.account_sid or "",
            auth_token=settings.twilio.auth_token or "",
            api_url=settings.twilio.api_url,
        ) as numbers:
            found = await numbers.find(number)
            if not sets:
                return found.webhooks
            await numbers.set_webhooks(found, wanted)
            return (await numbers.find(number)).webhooks

    found = asyncio.run(look())
    same = found.form() == wanted.form()
    if as_json:
        click.echo(msgspec.json.encode({"number": number, "same": same, "webhooks": found}))
        return 0 if same else 1
    for what, has, line in (
        ("A call comes in", found.voice_url, wanted.voice_url),
        ("Primary handler fails", found.voice_fallback_url, wanted.voice_fallback_url),
        ("Call status changes", found.status_callback, wanted.status_callback),
    ):
        difference = "" if has == line else f"  (this line: {line})"
        click.echo(f"{what + ':':<23}{has or 'nothing'}{difference}")
    if found.voice_application_sid:
        click.echo(
            f"The number belongs to the application {found.voice_application_sid}, so its own"
            " webhooks are not asked"
        )
    if not same:
        click.echo(f"`hookflash number {number} --set` sets those of this line", err=True)
    return 0 if same else 1
