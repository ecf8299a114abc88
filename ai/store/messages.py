"""What others said to the being and what it answered, in SQL: both are journal rows, for the keeper's eyes."""

from __future__ import annotations

import json

from ai.said import Heard
from ai.store.engine import Transaction

LOOK_BACK = 200  # messages: an older one that was never answered never will be

UNANSWERED = f"""
    WITH heard AS (SELECT id, data FROM journal WHERE being = :being AND kind = 'message'
                    ORDER BY id DESC LIMIT {LOOK_BACK})
    SELECT id, data FROM heard
     WHERE id NOT IN (SELECT json_extract(data, '$.to') FROM journal
                       WHERE being = :being AND kind = 'reply' AND id > (SELECT MIN(id) FROM heard)
                         AND json_extract(data, '$.to') IS NOT NULL)
     ORDER BY id LIMIT :limit
"""
REPLY = """
    SELECT data FROM journal WHERE being = :being AND kind = 'reply' AND id > :number
       AND json_extract(data, '$.to') = :number ORDER BY id LIMIT 1
"""


def unanswered(transaction: Transaction, being: str, limit: int) -> list[Heard]:
    """Messages that nobody answered yet, oldest first."""
    rows = transaction.exec_driver_sql(UNANSWERED, {"being": being, "limit": limit})
    told = [(number, json.loads(data)) for number, data in rows]
    return [Heard(number, str(data.get("from", "")), str(data.get("text", ""))) for number, data in told]


def reply_to(transaction: Transaction, being: str, number: int) -> str | None:
    """What was answered to message `number`, or None while nothing was."""
    data = transaction.exec_driver_sql(REPLY, {"being": being, "number": number}).scalar()
    return None if data is None else str(json.loads(data).get("text", ""))
