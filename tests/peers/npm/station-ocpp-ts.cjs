// A station on `ocpp-ts`; arguments: URL before the identity, identity.
const { OcppClient } = require('ocpp-ts');
const { obey, say } = require('./lines.cjs');

const [endpoint, identity] = process.argv.slice(2);
const client = new OcppClient(identity);
for (const action of ['RemoteStartTransaction', 'RemoteStopTransaction', 'Reset', 'ChangeConfiguration',
  'GetConfiguration', 'TriggerMessage']) {
  client.on(action, (payload, answer) => {
    say({ heard: action, station: identity, payload });
    answer(action === 'GetConfiguration' ? { configurationKey: [], unknownKey: payload.key || [] } : { status: 'Accepted' });
  });
}
client.on('error', (err) => say({ problem: err.message }));
client.on('connect', () => say({ up: true }));
obey(({ action, payload }) => client.callRequest(action, payload));
client.connect(`${endpoint}/`);
