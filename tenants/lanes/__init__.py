"""Lanes: permanent agenda items whose lease is the right to pump one channel or one webhook endpoint.

`wake` tells a worker about work, `runtime` is the event loop that pumps all lanes of a process. What a lane does is its
owner's: `messaging.dispatch` sends messages, `webhooks_app.pump` delivers events.
"""
