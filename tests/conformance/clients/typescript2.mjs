// The TypeScript SDK, second generation, in either era.
import { answers, capabilities, finish, meet, modern, options, require, url } from './meeting.mjs';

const { Client, LOG_LEVEL_META_KEY, StreamableHTTPClientTransport } = require('@modelcontextprotocol/client');

let heard;
const changed = new Promise((resolve) => {
  heard = resolve;
});
const client = new Client(
  { name: 'typescript-2', version: '1' },
  {
    capabilities,
    versionNegotiation: { mode: modern ? 'auto' : 'legacy' },
    listChanged: { tools: { onChanged: () => heard() } },
  },
);
client.setRequestHandler('sampling/createMessage', answers.sampled);
client.setRequestHandler('elicitation/create', answers.elicited);
client.setRequestHandler('roots/list', answers.rooted);
const logs = [];
client.setNotificationHandler('notifications/message', (message) => void logs.push(message));

const transport = new StreamableHTTPClientTransport(url, options);
await client.connect(transport);
// The modern era logs for who asks with the request.
const meta = modern ? { _meta: { [LOG_LEVEL_META_KEY]: 'info' } } : {};
const call = (name, args, more) => client.callTool({ name, arguments: args, ...meta }, more);
const saw = await meet(client, call, { logs, changed });
const revision = client.getNegotiatedProtocolVersion();
await client.close();
finish(revision, saw);
