// A station on `ocpp-rpc`, in its strict mode; arguments: URL before the identity, identity.
const { RPCClient } = require('ocpp-rpc');
const { obey, say } = require('./lines.cjs');

const [endpoint, identity] = process.argv.slice(2);
const client = new RPCClient({ endpoint, identity, protocols: ['ocpp1.6'], strictMode: true, reconnect: false });
client.on('strictValidationFailure', (failure) => say({ problem: failure.error.message }));
client.on('badMessage', (bad) => say({ problem: bad.error.message }));
client.handle(({ method, params }) => {
  say({ heard: method, station: identity, payload: params });
  return method === 'GetConfiguration' ? { configurationKey: [], unknownKey: params.key || [] } : { status: 'Accepted' };
});
obey(({ action, payload }) => client.call(action, payload));
client.connect().then(() => say({ up: true }), (err) => say({ problem: err.message }));
