"""One index of the phones instead of two: it serves equality and `LIKE '229%'`."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0009_import_language"),
    ]

    operations = [
        migrations.AlterField(
            model_name="contact",
            name="phone",
            field=models.CharField(blank=True, max_length=20, null=True, verbose_name="phone"),
        ),
        migrations.AddConstraint(
            model_name="contact",
            constraint=models.UniqueConstraint(
                fields=("phone",), name="contact_phone_once", opclasses=["varchar_pattern_ops"]
            ),
        ),
    ]
