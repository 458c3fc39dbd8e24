// Talks with the test that started us, in JSON lines: orders come in, answers and what was heard go out.
// When the test is gone our input ends, and so do we.
const readline = require('node:readline');

exports.say = (what) => process.stdout.write(JSON.stringify(what) + '\n');

// `handle(order)` does one; its answer or its error goes out under the order's number.
exports.obey = (handle) => {
  const input = readline.createInterface({ input: process.stdin });
  input.on('line', async (line) => {
    const order = JSON.parse(line);
    try {
      exports.say({ order: order.order, answer: await handle(order) });
    } catch (err) {
      exports.say({ order: order.order, error: `${err.rpcErrorCode || err.code || err.name}: ${err.message}` });
    }
  });
  input.on('close', () => process.exit(0));
};

let transactions = 0;

// What a back-end answers by the book; it takes every token.
exports.usual = (action, payload) => {
  const now = new Date().toISOString();
  switch (action) {
    case 'BootNotification': return { status: 'Accepted', currentTime: now, interval: 300 };
    case 'Heartbeat': return { currentTime: now };
    case 'Authorize': return payload.idToken ? { idTokenInfo: { status: 'Accepted' } } : { idTagInfo: { status: 'Accepted' } };
    case 'StartTransaction': return { transactionId: ++transactions, idTagInfo: { status: 'Accepted' } };
    case 'StopTransaction': return { idTagInfo: { status: 'Accepted' } };
    case 'TransactionEvent': return payload.idToken ? { idTokenInfo: { status: 'Accepted' } } : {};
    default: return {};
  }
};
