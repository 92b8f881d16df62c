"""Two contacts that turn out to be one person become one contact."""

from __future__ import annotations

from django.db import connection, transaction

from contacts.models import Contact


def contacts_merge(*, keep_id: int, drop_id: int) -> None:
    """Everything that points to `drop_id` points to `keep_id` afterwards, gaps are filled from it, and it is deleted.

    Works for every relation to Contact, of this app and of others. Does nothing when one of the two is gone already.
    """
    with transaction.atomic():
        rows = {
            row.pk: row for row in Contact.objects.select_for_update().filter(pk__in=(keep_id, drop_id)).order_by("pk")
        }
        if keep_id == drop_id or len(rows) < 2:
            return
        keep, drop = rows[keep_id], rows[drop_id]
        _groups_join(keep_id, drop_id)
        for relation in Contact._meta.related_objects:
            manager = relation.related_model._base_manager
            manager.filter(**{relation.field.name: drop}).update(**{relation.field.name: keep})
        drop.delete()
        keep.name = keep.name or drop.name
        keep.phone = keep.phone or drop.phone
        keep.email = keep.email or drop.email
        keep.custom = drop.custom | keep.custom
        keep.tags = sorted({*keep.tags, *drop.tags})
        keep.primary_group_id = keep.primary_group_id or drop.primary_group_id
        keep.language = keep.language or drop.language
        keep.timezone = keep.timezone or drop.timezone
        keep.last_seen_at = max(filter(None, (keep.last_seen_at, drop.last_seen_at)), default=None)
        keep.save()


def _groups_join(keep_id: int, drop_id: int) -> None:
    """Groups that both are in have one member less; the other memberships move with the rest."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH gone AS (DELETE FROM contacts_groupmember WHERE contact_id = %(drop)s AND group_id IN ("
            " SELECT group_id FROM contacts_groupmember WHERE contact_id = %(keep)s) RETURNING group_id)"
            " UPDATE contacts_group SET member_count = member_count - 1 FROM gone WHERE id = gone.group_id",
            {"keep": keep_id, "drop": drop_id},
        )
