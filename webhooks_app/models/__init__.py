from webhooks_app.models.delivery import Attempt, Delivery
from webhooks_app.models.endpoint import Endpoint, EndpointCount
from webhooks_app.models.event import Event
from webhooks_app.models.replay import Replay

__all__ = ["Attempt", "Delivery", "Endpoint", "EndpointCount", "Event", "Replay"]
