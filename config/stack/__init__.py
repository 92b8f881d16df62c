"""Everything that starts the platform on one machine: virtualenv, database, broker, and the processes around them."""
