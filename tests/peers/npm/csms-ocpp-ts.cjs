// A back-end on `ocpp-ts`. It offers no choice of address and would listen at every one: here it gets loopback.
const net = require('node:net');
const { obey, say, usual } = require('./lines.cjs');

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function listenAtLoopback(port) {
  return listen.call(this, { port, host: '127.0.0.1' }, () => say({ port: this.address().port }));
};
const { OcppServer } = require('ocpp-ts');

const ACTIONS = ['Authorize', 'BootNotification', 'DataTransfer', 'DiagnosticsStatusNotification',
  'FirmwareStatusNotification', 'Heartbeat', 'MeterValues', 'StartTransaction', 'StatusNotification', 'StopTransaction'];
const clients = new Map();
const server = new OcppServer();
server.on('connection', (client) => {
  const station = client.getCpId();
  clients.set(station, client);
  for (const action of ACTIONS) {
    client.on(action, (payload, answer) => {
      say({ heard: action, station, payload });
      answer(usual(action, payload));
    });
  }
});
server.on('error', (err) => say({ problem: err.message }));
obey(({ station, action, payload }) => clients.get(station).callRequest(action, payload));
server.listen(0);
