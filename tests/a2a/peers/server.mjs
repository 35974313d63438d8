// An A2A agent made with the official JavaScript SDK, for our client to talk to. Prints its URL; serves until killed.
// "echo WORDS" is streamed back, "ask" asks for a colour first, "slow" works until it is cancelled, "fail" fails.
import express from 'express';
import { randomUUID } from 'node:crypto';
import { AGENT_CARD_PATH, Role, TaskState } from '@a2a-js/sdk';
import { AgentEvent, DefaultRequestHandler, InMemoryTaskStore } from '@a2a-js/sdk/server';
import { agentCardHandler, jsonRpcHandler, UserBuilder } from '@a2a-js/sdk/server/express';

const part = text => ({ content: { $case: 'text', value: text }, metadata: undefined, filename: '', mediaType: 'text/plain' });

class Executor {
  slow = new Map();
  cancelTask = async taskId => {
    console.log(`cancelled ${taskId}`);
    this.slow.get(taskId)?.();
  };

  async execute({ userMessage, task, taskId, contextId }, bus) {
    const status = (state, text) => bus.publish(AgentEvent.statusUpdate({
      taskId, contextId, metadata: undefined,
      status: {
        state, timestamp: new Date().toISOString(),
        message: text && { role: Role.ROLE_AGENT, messageId: randomUUID(), parts: [part(text)], taskId, contextId, extensions: [], metadata: undefined, referenceTaskIds: [] },
      },
    }));
    bus.publish(AgentEvent.task(task ?? {
      id: taskId, contextId, artifacts: [], history: [userMessage], metadata: undefined,
      status: { state: TaskState.TASK_STATE_SUBMITTED, timestamp: new Date().toISOString(), message: undefined },
    }));
    status(TaskState.TASK_STATE_WORKING);
    const said = userMessage.parts.map(one => one.content?.value ?? '').join('');
    if (said.includes('slow')) {
      console.log(`slow ${taskId}`);
      await new Promise(resolve => this.slow.set(taskId, resolve));
      status(TaskState.TASK_STATE_CANCELED);
    } else if (said.includes('fail')) {
      status(TaskState.TASK_STATE_FAILED, 'it was told to');
    } else if (said.includes('ask me')) {
      status(TaskState.TASK_STATE_INPUT_REQUIRED, 'Which colour?');
    } else {
      ['You', ' said: ', said].forEach((word, n) => bus.publish(AgentEvent.artifactUpdate({
        taskId, contextId, append: n > 0, lastChunk: n === 2, metadata: undefined,
        artifact: { artifactId: 'a', name: '', description: '', parts: [part(word)], metadata: undefined, extensions: [] },
      })));
      status(TaskState.TASK_STATE_COMPLETED);
    }
    bus.finished();
  }
}

const app = express();
const server = app.listen(0, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  const card = {
    name: 'peer', description: 'An agent to talk to.', version: '1', provider: undefined, documentationUrl: '',
    supportedInterfaces: [{ url: `${url}/`, protocolBinding: 'JSONRPC', tenant: '', protocolVersion: '1.0' }],
    capabilities: { streaming: !process.argv.includes('still'), pushNotifications: false, extensions: [], extendedAgentCard: false },
    securitySchemes: {}, securityRequirements: [], signatures: [],
    defaultInputModes: ['text/plain'], defaultOutputModes: ['text/plain'],
    skills: [{ id: 'echo', name: 'echo', description: 'Says it again.', tags: ['echo'], examples: [], inputModes: [], outputModes: [], securityRequirements: [] }],
  };
  const requestHandler = new DefaultRequestHandler(card, new InMemoryTaskStore(), new Executor());
  app.use(`/${AGENT_CARD_PATH}`, agentCardHandler({ agentCardProvider: requestHandler }));
  app.use(jsonRpcHandler({ requestHandler, userBuilder: UserBuilder.noAuthentication }));
  console.log(url);
});
