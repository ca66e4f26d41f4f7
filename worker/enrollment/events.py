"""Events: what we tell others, read off two records, the one before a fact and the one after it.

Never audio, never a voiceprint: names, seconds, grades and codes.
"""

from dataclasses import dataclass, field

from worker.enrollment.record import Answer, Conflict, Record, Rejection, Sample, SpeakerId
from worker.enrollment.renewal import is_removing
from worker.enrollment.states import SampleState, SpeakerState, sample_state, speaker_state

Fields = dict[str, str | float | bool | None]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to tell: a catalogue name and a few plain values."""

    name: str
    speaker_id: SpeakerId
    fields: Fields = field(default_factory=dict)


_SAMPLE_EVENTS = {
    SampleState.HELD: "sample.held",
    SampleState.REJECTED: "sample.rejected",
    SampleState.REFUSED: "sample.refused",
    SampleState.APPLIED: "sample.applied",
    SampleState.PARKED: "sample.parked",
}
_SPEAKER_EVENTS = {
    SpeakerState.ERASED: "speaker.erased",
    SpeakerState.COMPLETE: "enrollment.settled",
    SpeakerState.INCOMPLETE: "enrollment.incomplete",
    SpeakerState.FAILED: "enrollment.failed",
    SpeakerState.WITHDRAWN: "enrollment.withdrawn",
}


def events_between(before: Record, after: Record) -> tuple[Event, ...]:
    """What changed, in the order in which a person would tell it."""
    return (*_sample_events(before, after), *_enrollment_events(before, after))


def _sample_events(before: Record, after: Record) -> list[Event]:
    told: list[Event] = []
    for sample in after.samples:
        state = sample_state(sample)
        if state is not sample_state(before.sample(sample.recording_id)) and state in _SAMPLE_EVENTS:
            why = getattr(reason(sample), "code", None)
            told.append(Event(_SAMPLE_EVENTS[state], after.speaker_id, _named(sample, code=why)))
        if sample.clip and not before.sample(sample.recording_id).prepared:
            told.append(Event("sample.ready", after.speaker_id, _named(sample)))
        if sample.conflict and not before.sample(sample.recording_id).conflict:
            told.append(Event("speaker.conflict_suspected", after.speaker_id, _conflict(sample, sample.conflict)))
    return told


def _named(sample: Sample, *, code: str | None = None) -> Fields:
    return {"recordingId": sample.recording_id, "source": sample.name, "code": code}


def _conflict(sample: Sample, conflict: Conflict) -> Fields:
    return {
        "recordingId": sample.recording_id,
        "otherSpeakerId": conflict.speaker_id,
        "score": conflict.score,
        "threshold": conflict.threshold,
    }


def reason(sample: Sample) -> Rejection | Answer | None:
    """What says why the sample stands where it stands, if there is anything to say: its code and its message."""
    state = sample_state(sample)
    if sample.parked:
        return sample.parked
    if state is SampleState.HELD:
        return sample.held
    if state is SampleState.REJECTED and sample.declined:
        return sample.declined
    attempts = sample.attempts or (sample.former if state is SampleState.REFUSED else ())
    answers = [attempt.answer for attempt in attempts if attempt.answer]
    if answers:
        return answers[-1]
    return sample.prepared if isinstance(sample.prepared, Rejection) else None


def _enrollment_events(before: Record, after: Record) -> list[Event]:
    told: list[Event] = []
    was, now = before.enrollment, after.enrollment
    if any(sample.attempts for sample in after.samples) and not any(sample.attempts for sample in before.samples):
        told.append(Event("enrollment.started", after.speaker_id))
    if after.era != before.era and not is_removing(before):
        told.append(Event("enrollment.removed", after.speaker_id))
    if now and now != was:
        fields: Fields = {"totalSpeechDuration": now.speech_s, "enrollmentQuality": now.quality}
        told.append(Event("enrollment.improved", after.speaker_id, fields))
        if now.complete and not (was and was.complete):
            told.append(Event("enrollment.completed", after.speaker_id, fields))
    state = speaker_state(after)
    told_of = after.samples or state is SpeakerState.ERASED
    if state is not speaker_state(before) and state in _SPEAKER_EVENTS and told_of:
        told.append(Event(_SPEAKER_EVENTS[state], after.speaker_id))
    return told
