"""Every code that says why a recording will not do, or what is to know of one that will.

The README shows the same tables, and a test holds one against the other.
"""

CODES = {
    "empty": "there is no sound in the file",
    "not_audio": "no known audio format, or a file without sound",
    "corrupt": "it begins like a recording but can't be decoded",
    "rate_too_low": "sampled too seldom for a voice",
    "channel_missing": "the channel asked for isn't there",
    "stretch_missing": "the stretch asked for isn't there",
    "too_short": "shorter than the API takes",
    "too_long": "a sample longer than the API takes; recordings may have any length",
    "silent": "nothing to be heard",
    "speech_too_short": "too little speech in one stretch",
    "music": "music instead of speech, or too much of it in every stretch",
    "synthetic_tone": "dial tones, beeps or hum instead of speech, or too much of it in every stretch",
    "clipped": "recorded too loud, its peaks cut off",
    "too_quiet": "recorded too softly",
    "noisy": "too much noise under the speech",
    "several_voices": "the voice changes within every stretch",
    "overlapped": "two speak at once in every stretch",
    "duplicate_recording": "the same sound was handed in before",
    "duplicate_sample": "the same speech was handed in before, in another recording",
    "different_voice": "not the voice that the speaker's other samples have",
    "same_voice_other_id": "the voice is enrolled under another speaker's id",
    "not_found": "the source isn't there",
    "forbidden_source": "the source may not be read from here",
    "unreadable_source": "the source can't be read or reached",
    "too_large": "the file is larger than allowed",
}
ADVICE = {
    "narrow_band": "usable; nothing above the telephone's band, so the grade stays at Good at most",
    "short": "usable; shorter than the best length",
}
