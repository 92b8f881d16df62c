from messaging.models.channel import Channel, ChannelCount
from messaging.models.customer import Customer
from messaging.models.idempotency import IdempotencyRecord
from messaging.models.media import MediaFile, ProviderCopy
from messaging.models.message import Message, SendAttempt
from messaging.models.operator import OperatorPrefix
from messaging.models.run_count import RunCount
from messaging.models.setup_link import SetupLink
from messaging.models.template import MessageTemplate, TemplateSync

__all__ = [
    "Channel",
    "ChannelCount",
    "Customer",
    "IdempotencyRecord",
    "MediaFile",
    "Message",
    "MessageTemplate",
    "OperatorPrefix",
    "ProviderCopy",
    "RunCount",
    "SendAttempt",
    "SetupLink",
    "TemplateSync",
]
