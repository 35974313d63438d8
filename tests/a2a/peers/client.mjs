// Drives a served A2A crew with the official JavaScript client; prints one JSON object of what it saw.
import { ClientFactory, ClientFactoryOptions, JsonRpcTransportFactory, RestTransportFactory } from '@a2a-js/sdk/client';
import { TaskState, Role } from '@a2a-js/sdk';
import { randomUUID } from 'node:crypto';
const url = process.argv[2];
const seen = {};
const name = s => typeof s === 'number' ? TaskState[s] : s;
for (const [binding, transport] of [['JSONRPC', new JsonRpcTransportFactory()], ['HTTP+JSON', new RestTransportFactory()]]) {
  const client = await new ClientFactory({ transports: [transport], preferredTransports: [binding] }).createFromUrl(url);
  const say = (text, more = {}) => ({ message: { messageId: randomUUID(), role: Role.ROLE_USER, parts: [{ content: { $case: 'text', value: text }, metadata: undefined, filename: '', mediaType: '' }], taskId: '', contextId: '', extensions: [], referenceTaskIds: [], metadata: undefined, ...more }, tenant: '', configuration: undefined, metadata: undefined });
  const told = [];
  const task = await client.sendMessage(say('pay the bill'));
  told.push(name(task.status.state));
  const kinds = [];
  let text = '';
  for await (const event of client.sendMessageStream(say('yes', { taskId: task.id, contextId: task.contextId }))) {
    const payload = event.payload ?? event;
    kinds.push(payload.$case ?? payload.kind ?? Object.keys(payload)[0]);
    if (payload.$case === 'artifactUpdate') for (const part of payload.value.artifact.parts) text += part.content.value;
  }
  const got = await client.getTask({ id: task.id, tenant: '', historyLength: undefined });
  told.push(name(got.status.state), got.artifacts[0].parts[0].content.value, text, kinds[0]);
  const other = await client.sendMessage(say('pay the bill'));
  told.push(name((await client.cancelTask({ id: other.id, tenant: '', metadata: undefined })).status.state));
  for (const wrong of [() => client.getTask({ id: 'nothing', tenant: '' }), () => client.cancelTask({ id: other.id, tenant: '' })]) {
    try { await wrong(); told.push('no error'); } catch (error) { told.push(error.constructor.name); }
  }
  seen[binding] = told;
}
console.log(JSON.stringify(seen));
