"""The ledger's part in the engine's statements: common table expressions that move credits with the messages.

`{schema}` is filled by the statement that takes them in. An account's row is always the last that a transaction locks,
several of them in the order of their ids: so nobody waits in a circle.
"""

from __future__ import annotations

from typing import Final

# Reserve the price of the rows of `{rows}` (price) from %(account)s: `reserved` is empty when there is not enough.
# Nothing is then inserted, or the caller gives up the whole statement. `{run}` and `{bulk}` say what they belong to.
HOLD: Final = """reserved AS (
    UPDATE {schema}.billing_creditaccount account SET balance = account.balance - cost.total
    FROM (SELECT sum(price) AS total, count(*) AS messages FROM {rows} HAVING count(*) > 0) AS cost
    WHERE account.id = %(account)s AND account.balance >= cost.total
    RETURNING cost.total, cost.messages),
hold_noted AS (
    INSERT INTO {schema}.billing_ledgerentry
        (account_id, kind, amount, held, messages, channel_id, campaign_run_id, bulk_uuid)
    SELECT %(account)s, 'hold', -total, total, messages, %(channel)s, {run}, {bulk} FROM reserved)"""

# Whether there was not enough.
SHORT: Final = "(EXISTS (SELECT FROM {rows}) AND NOT EXISTS (SELECT FROM reserved))"

# From `charged` (account, channel, price, state): messages whose credits were reserved until this statement and now are
# `settled` or `released`. Spending touches the ledger only, so sending does not queue for the account's row.
CREDITED: Final = """
credit_sums AS (
    SELECT account, channel, state, sum(price) AS total, count(*) AS messages
    FROM charged GROUP BY account, channel, state),
credits_noted AS (
    INSERT INTO {schema}.billing_ledgerentry (account_id, kind, amount, held, messages, channel_id)
    SELECT account, CASE state WHEN 'settled' THEN 'settle' ELSE 'release' END,
           CASE state WHEN 'settled' THEN 0 ELSE total END, -total, messages, channel
    FROM credit_sums ORDER BY account, channel, state),
credits_returned AS (
    UPDATE {schema}.billing_creditaccount account SET balance = account.balance + returned.total
    FROM (SELECT account, sum(total) AS total FROM credit_sums WHERE state = 'released' GROUP BY account) AS returned
    WHERE account.id = returned.account AND account.id IN (
        SELECT id FROM {schema}.billing_creditaccount
        WHERE id IN (SELECT sums.account FROM credit_sums AS sums WHERE sums.state = 'released')
        ORDER BY id FOR NO KEY UPDATE))"""

# From `moved` (account, price): failed messages that are tried again are reserved again. `unpaid` counts the accounts
# that have not enough: then the caller gives up the whole statement.
HELD_AGAIN: Final = """
again AS (
    SELECT account, sum(price) AS total, count(*) AS messages FROM moved WHERE account IS NOT NULL GROUP BY account),
paying AS MATERIALIZED (
    SELECT id, balance FROM {schema}.billing_creditaccount WHERE id IN (SELECT account FROM again)
    ORDER BY id FOR NO KEY UPDATE),
reserved AS (
    UPDATE {schema}.billing_creditaccount account SET balance = account.balance - again.total
    FROM again, paying
    WHERE account.id = again.account AND paying.id = account.id AND paying.balance >= again.total
    RETURNING account.id, again.total, again.messages),
hold_noted AS (
    INSERT INTO {schema}.billing_ledgerentry (account_id, kind, amount, held, messages, channel_id)
    SELECT id, 'hold', -total, total, messages, %(channel)s FROM reserved ORDER BY id)"""
UNPAID: Final = "((SELECT count(*) FROM again) - (SELECT count(*) FROM reserved))"
