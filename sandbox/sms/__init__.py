"""An SMS gateway with delivery reports and answers of the phones."""
