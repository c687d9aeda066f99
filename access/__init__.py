"""Who may do what: people, teams, agents, roles, grants, tokens, and the authorization server at `/oauth/`."""
