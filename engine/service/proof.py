"""What a callback carries to prove who sent it: signatures (Standard Webhooks), a fixed token. Pure."""

from dataclasses import dataclass
from typing import Self

from config.settings import Engine
from config.signing import signature, signing_keys


@dataclass(frozen=True, slots=True)
class Proof:
    """The secrets shared with the receiver.

    Attributes:
        keys: every callback is signed with each of them.
        token: sent along as it is, in the header Verification-Token.
    """

    keys: tuple[bytes, ...] = ()
    token: str = ""

    @classmethod
    def of(cls, engine: Engine) -> Self:
        """As the settings have it.

        Raises:
            SettingsError: a secret that can't be one.
        """
        keys = signing_keys(engine.signing_secret, variable="VOXROLL_ENGINE_SIGNING_SECRET")
        return cls(keys, engine.verification_token.get_secret_value())

    def headers(self, body: bytes, *, message_id: str, sent_s: int) -> dict[str, str]:
        """The headers of one try; the same message keeps its id, so that whoever is told twice can see it.

        Args:
            body: as it is sent.
            message_id: names the message.
            sent_s: seconds since 1970.
        """
        told = {"Verification-Token": self.token} if self.token else {}
        if self.keys:
            name, sent = message_id.encode(), str(sent_s).encode()
            signed = [signature(key, message_id=name, sent=sent, body=body) for key in self.keys]
            told |= {"webhook-id": message_id, "webhook-timestamp": str(sent_s)}
            told["webhook-signature"] = b" ".join(signed).decode()
        return told
