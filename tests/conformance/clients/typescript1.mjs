// The TypeScript SDK, first generation: the handshake era only.
import { answers, capabilities, finish, meet, options, require, url } from './meeting.mjs';

const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
const { StreamableHTTPClientTransport } = require('@modelcontextprotocol/sdk/client/streamableHttp.js');
const types = require('@modelcontextprotocol/sdk/types.js');

const client = new Client({ name: 'typescript-1', version: '1' }, { capabilities });
client.setRequestHandler(types.CreateMessageRequestSchema, answers.sampled);
client.setRequestHandler(types.ElicitRequestSchema, answers.elicited);
client.setRequestHandler(types.ListRootsRequestSchema, answers.rooted);
const logs = [];
client.setNotificationHandler(types.LoggingMessageNotificationSchema, (message) => void logs.push(message));
const changed = new Promise((resolve) => {
  client.setNotificationHandler(types.ToolListChangedNotificationSchema, () => resolve());
});

const transport = new StreamableHTTPClientTransport(url, options);
await client.connect(transport);
const call = (name, args, more) => client.callTool({ name, arguments: args }, undefined, more);
const saw = await meet(client, call, { logs, changed });
const revision = transport.protocolVersion;
await transport.terminateSession();
await client.close();
finish(revision, saw);
