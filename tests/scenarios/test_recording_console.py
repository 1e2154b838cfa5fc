"""The console hears a live call, plays its recording afterwards, and has it forgotten."""

from __future__ import annotations

import asyncio

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from hookflash.files.uploads import LATE_SECONDS, QUIET_SECONDS, SWEEP_SECONDS
from hookflash.runtime.live_audio import FRAME_BYTES
from hookflash_local.carrier.parties import Line

from .conftest import PUBLIC, samples
from .test_console import page, users
from .test_recording import CALLER, CONSENT, GREETING, kept, recorded_shop, script_agent

__all__ = ["users"]


async def test_a_live_call_is_heard_its_recording_played_and_all_of_it_forgotten(stage, users):
    async with stage(recorded_shop(), settings=users) as s:
        script_agent(s)
        heard: list[bytes] = []

        async def listen(call_sid: str, cookie: str) -> None:
            origin = s.carrier.tunnel[PUBLIC]
            async with connect(
                f"{origin.replace('http', 'ws')}/console/calls/{call_sid}/listen",
                additional_headers={"Cookie": cookie},
                origin=PUBLIC,
                proxy=None,
            ) as socket:
                try:
                    while True:
                        heard.append(await socket.recv())
                except ConnectionClosed as closed:
                    assert closed.rcvd is not None and closed.rcvd.code == 1000

        async with page(s) as anna:
            tasks = []

            async def script(line: Line) -> None:
                cookie = anna.client.headers["Cookie"]
                tasks.append(asyncio.create_task(listen(line.leg.sid, cookie)))
                await line.wait_for_sound()
                await line.wait_for_silence(0.5)
                await line.play(bytes([CALLER]) * 4000)
                await line.pause(0.5)
                await line.hang_up()

            call = await s.call(script)
            await s.record(call)
            await tasks[0]
            assert {len(frame) for frame in heard} == {FRAME_BYTES}
            sound = b"".join(heard)
            # Whoever listens hears the line too, from where they came in: only the recording has
            # to wait for it.
            assert samples(sound[1::2], CONSENT) == 700 * 8
            assert samples(sound[1::2], GREETING) == 600 * 8
            assert samples(sound[0::2], CALLER) == 4000

            wav = await kept(s, call)
            past = await anna.get(f"/api/past/{call.sid}")
            assert past["recording"] == f"../api/past/{call.sid}/recording"
            played = await anna.client.get(f"/api/past/{call.sid}/recording")
            assert samples(played.content[58::2], CALLER) == samples(wav.left, CALLER) == 4000

            gone = await anna.client.delete(
                f"/api/past/{call.sid}", headers={"X-CSRF-Token": anna.csrf}
            )
            assert gone.status_code == 204
            assert (await anna.client.get(f"/api/past/{call.sid}")).status_code == 404
            assert s.line.recordings.flush()
            assert [path.name for path in s.folder.rglob("CA*")] == []
            (stone,) = await s.line.store.list()
            assert (stone.caller, stone.utterances, stone.disposition) == (
                "",
                (),
                "handled_by_agent",
            )


async def test_files_in_a_shared_folder_are_played_and_deleted_there(stage, users, tmp_path):
    shared = tmp_path / "shared"
    settings = {**users, "files_url": shared.as_uri()}
    async with stage(recorded_shop(), settings=settings) as s:
        # Files stay in the data folder for an hour.
        asyncio.get_running_loop().limit_seconds += LATE_SECONDS["journals"]
        script_agent(s)

        async def script(line: Line) -> None:
            await line.wait_for_sound()
            await line.wait_for_silence(0.5)
            await line.hang_up()

        async with page(s) as anna:
            call = await s.call(script)
            await s.record(call)
            recorded = (s.folder / "recordings" / f"{call.sid}.wav").read_bytes()
            await asyncio.sleep(QUIET_SECONDS + SWEEP_SECONDS + 1)
            stored = {path.parent.parent.name for path in shared.rglob(f"{call.sid}/*")}
            assert stored == {"journals", "recordings"}
            await asyncio.sleep(LATE_SECONDS["journals"] + 120)
            assert [*s.folder.rglob(f"{call.sid}.*")] == []
            past = await anna.get(f"/api/past/{call.sid}")
            assert past["parts"]["stages"], "its journal is read"
            address = f"/api/past/{call.sid}/recording"
            assert (await anna.client.get(address)).content == recorded
            part = await anna.client.get(address, headers={"Range": "bytes=-100"})
            assert (part.status_code, part.content) == (206, recorded[-100:])
            csrf = {"X-CSRF-Token": anna.csrf}
            gone = await anna.client.delete(f"/api/past/{call.sid}", headers=csrf)
            assert gone.status_code == 204
            assert [path.parent.name for path in shared.rglob("*") if path.is_file()] == ["erased"]
