from contacts.admin import contacts, custom_fields, groups, imports, jobs, opt_outs, segments, suppressions  # noqa: F401
