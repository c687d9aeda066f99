"""A server's tools taken together."""

from tools.scanner.toolsets import mapped, toolset_hits


def test_several_verbs_for_each_of_several_things_are_an_api_mapped_to_tools():
    names = [
        "getUser",
        "list_users",
        "github_create_user",
        "delete_role",
        "roles.add",
        "update_roles",
        "merge",
        "get_x",
    ]
    assert mapped(names) == {
        "user": ["getUser", "list_users", "github_create_user"],
        "role": ["delete_role", "roles.add", "update_roles"],
    }


def test_what_is_no_list_of_tools_has_none():
    assert not list(toolset_hits(None))
    assert not list(toolset_hits([{"name": 3}, "x", {}] * 40))
