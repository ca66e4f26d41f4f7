"""The life of an enrollment as RingCentral's own Python client writes it; prints what it saw as JSON.

Run with the client on the path: `life.py SERVER SECRET JWT WEBHOOK FIRST.wav SECOND.wav TALK.wav`.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any

from ringcentral import SDK  # type: ignore[import-not-found,unused-ignore]  # installed for this script alone
from ringcentral.http.api_exception import ApiException  # type: ignore[import-not-found,unused-ignore]

ENROLLMENTS = "/ai/audio/v1/enrollments"
server, secret, jwt, webhook, *clips = sys.argv[1:]
first, second, talk = (
    {"encoding": "Wav", "languageCode": "en-US", "content": base64.b64encode(Path(clip).read_bytes()).decode()}
    for clip in clips
)
platform = SDK("voxroll", secret, server).platform()
seen: dict[str, Any] = {}


def told(name: str, answer: Any) -> Any:
    body = answer.json_dict() if answer.response().content else None
    seen[name] = [answer.response().status_code, body]
    return body


def ended(job_id: str) -> Any:
    while True:
        job = platform.get(f"/ai/status/v1/jobs/{job_id}").json_dict()
        if job["status"] != "InProgress":
            return job


def refused(name: str, path: str) -> None:
    try:
        platform.get(path)
    except ApiException as error:
        told(name, error.api_response())


platform.login(jwt=jwt)
refused("absent", f"{ENROLLMENTS}/ann_1")
told("created", platform.post(ENROLLMENTS, {"enrollmentId": "ann_1", **first}))
told("updated", platform.patch(f"{ENROLLMENTS}/ann_1", second))
told("found", platform.get(f"{ENROLLMENTS}/ann_1"))
told("listed", platform.get(ENROLLMENTS, {"partial": True, "perPage": 100, "page": 1}))
asked = {"speakerIds": ["ann_1"], **talk}
where = f"?webhook={webhook}/identified?n=1%26m=2"
job = told("identify", platform.post(f"/ai/audio/v1/async/speaker-identify{where}", asked))
seen["identified"] = ended(job["jobId"])
job = told("diarize", platform.post(f"/ai/audio/v1/async/speaker-diarize?webhook={webhook}/diarized", asked))
seen["diarized"] = ended(job["jobId"])
platform.refresh()
told("deleted", platform.delete(f"{ENROLLMENTS}/ann_1"))
platform.logout()
seen["logged_in"] = platform.logged_in()
sys.stdout.write(json.dumps(seen))
