// What both generations of the TypeScript SDK do in the same words; `listen` is theirs.
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

export const url = new URL(process.env.MCP_URL);
export const modern = process.env.MCP_ERA === 'modern';
export const require = createRequire(`${process.env.MCP_MODULES}/`);
export const options = process.env.MCP_TOKEN
  ? { requestInit: { headers: { Authorization: `Bearer ${process.env.MCP_TOKEN}` } } }
  : {};
export const capabilities = { sampling: {}, elicitation: {}, roots: {} };

export const answers = {
  sampled: async () => ({ role: 'assistant', content: { type: 'text', text: 'from the model' }, model: 'm' }),
  elicited: async () => ({ action: 'accept', content: { response: 'yes' } }),
  rooted: async () => ({ roots: [{ uri: 'file:///project' }] }),
};

const line = (result) => result.content[0].text;

async function hears(trigger, changed) {
  for (let attempt = 0; attempt < 20; attempt++) {
    await trigger();
    const heard = await Promise.race([changed.then(() => true), sleep(1000, false, { ref: false })]);
    if (heard) return true;
  }
  return false;
}

// `call(name, args, options)` calls a tool; `logs` collects log messages, `changed` settles with the first change.
export async function meet(client, call, { logs, changed }) {
  const saw = { tools: (await client.listTools()).tools.map((tool) => tool.name).sort() };
  saw.sum = (await call('add', { a: 2, b: 3 })).structuredContent;
  saw.wrong = (await call('add', { a: 2, b: 'three' })).isError;
  saw.progress = [];
  await call('test_tool_with_progress', {}, { onprogress: (step) => saw.progress.push(step.progress) });
  if (!modern) await client.setLoggingLevel('info');
  await call('test_tool_with_logging', {});
  saw.logs = logs.length;
  saw.elicited = line(await call('test_elicitation', { message: 'Well?' }));
  saw.sampled = line(await call('test_sampling', { prompt: 'Hello' }));
  saw.roots = line(await call('test_roots', {}));
  const read = async (uri) => (await client.readResource({ uri })).contents[0];
  saw.read = (await read('test://static-text')).text;
  saw.binary = (await read('test://static-binary')).blob;
  saw.templated = JSON.parse((await read('test://template/7/data')).text);
  const name = 'test_prompt_with_arguments';
  const prompt = await client.getPrompt({ name, arguments: { arg1: 'one', arg2: 'two' } });
  saw.prompt = prompt.messages[0].content.text;
  const argument = { name: 'arg1', value: 'par' };
  saw.completed = (await client.complete({ ref: { type: 'ref/prompt', name }, argument })).completion.values;
  saw.changed = await hears(() => call('test_trigger_tool_change', {}), changed);
  return saw;
}

export function finish(revision, saw) {
  process.stdout.write(JSON.stringify({ revision, ...saw }));
}
