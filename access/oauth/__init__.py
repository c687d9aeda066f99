"""The authorization server: django-oauth-toolkit under strict settings, with what it leaves open closed here.

Offered: `client_credentials` (RFC 6749, 4.4), `resource` (RFC 8707), revocation (RFC 7009) and metadata (RFC 8414).
"""
