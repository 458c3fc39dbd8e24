// A back-end on `ocpp-rpc`, in its strict mode: a call or an answer that its schemas do not allow is an error.
const { RPCServer } = require('ocpp-rpc');
const { obey, say, usual } = require('./lines.cjs');

const clients = new Map();
const server = new RPCServer({ protocols: ['ocpp1.6', 'ocpp2.0.1'], strictMode: true });
server.auth((accept) => accept());
server.on('client', (client) => {
  clients.set(client.identity, client);
  client.on('strictValidationFailure', (failure) => say({ problem: `${client.identity}: ${failure.error.message}` }));
  client.on('badMessage', (bad) => say({ problem: `${client.identity}: ${bad.error.message}` }));
  client.handle(({ method, params }) => {
    say({ heard: method, station: client.identity, payload: params });
    return usual(method, params);
  });
});
obey(({ station, action, payload }) => clients.get(station).call(action, payload));
server.listen(0, '127.0.0.1').then((http) => say({ port: http.address().port }));
