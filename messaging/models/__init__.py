from messaging.models.channel import Channel, ChannelCount
from messaging.models.idempotency import IdempotencyRecord
from messaging.models.message import Message, SendAttempt

__all__ = ["Channel", "ChannelCount", "IdempotencyRecord", "Message", "SendAttempt"]
