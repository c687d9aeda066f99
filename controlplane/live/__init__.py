"""What changes while somebody looks: calls and refusals, the inbox count, the health of servers, over one stream."""
