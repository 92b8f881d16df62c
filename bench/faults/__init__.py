"""What the platform survives: faults at random points of a load of messages, and the provider's ledger as the judge.

`proxy` stands between the engine and the provider, `kinds` are the faults, `load` accepts messages over the API,
`verdict` compares what was accepted with what arrived, `outages` measures how the platform comes back.
"""
