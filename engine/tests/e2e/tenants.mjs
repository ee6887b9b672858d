// The same user in the same channel of two tenants: each is alone.
import assert from 'node:assert/strict';
import { Client, ready, socketUrl } from './client.mjs';

const CHANNEL = 'chat:same';

async function call(tenant, path, body) {
  const url = `${ready.http}${path}?key=${tenant.application_key}`;
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  assert.equal(answer.status, 200);
  return answer.json();
}

const [one, two] = await Promise.all(
  ready.tenants.map(async (tenant) => {
    const { token } = await call(tenant, '/edge/realtime/token', { user_id: 'ada', name: tenant.name });
    const client = new Client(socketUrl(CHANNEL, token));
    await client.next(); // connected
    const { presence } = await client.nextJson();
    assert.deepEqual(presence, [{ id: 'ada', name: tenant.name }]);
    return client;
  }),
);
for (const tenant of ready.tenants) {
  const { id } = await call(tenant, '/edge/realtime', { channel: CHANNEL, data: `of ${tenant.name}` });
  assert.equal(id, 1, 'each tenant counts for itself');
}
for (const [client, name] of [[one, 'one'], [two, 'two']]) {
  // Whatever crossed over would stand between these.
  assert.equal((await client.nextJson()).data, `of ${name}`);
  const { echo } = await client.publish('{"action":"publish","data":"mine","persist":false}');
  assert.equal(JSON.parse(echo).data, 'mine');
}
process.exit(0);
