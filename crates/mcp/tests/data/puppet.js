// A server that does what tests need: it offers what stands in tools.json beside its working directory, and misbehaves by name.
const fs = require('fs');
const { spawn } = require('child_process');
const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\n');
const text = (text) => ({ content: [{ type: 'text', text }] });

const calls = {
  echo: (args) => text(JSON.stringify(args)),
  crash: () => { process.stderr.write('out of order'); process.exit(3); },
  hang: () => undefined,
  flood: () => { process.stdout.write('x'.repeat(9 << 20)); return undefined; },
  long: () => text('y'.repeat(1 << 20)),
  child: () => text(String(spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' }).pid)),
  look: (args) => { try { return text(fs.readFileSync(args.path, 'utf8')); } catch (error) { return { ...text(error.code), isError: true }; } },
  count: () => { fs.appendFileSync('calls', '.'); return text('counted'); },
};

let rest = '';
process.stdin.on('data', (data) => {
  rest += data;
  const lines = rest.split('\n');
  rest = lines.pop();
  for (const line of lines.filter(Boolean)) {
    const { id, method, params } = JSON.parse(line);
    if (method === 'initialize') {
      fs.appendFileSync('starts', '.');
      say({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: { listChanged: true } }, serverInfo: { name: 'puppet', version: '1' } } });
    } else if (method === 'tools/list') {
      say({ id, result: { tools: JSON.parse(fs.readFileSync('tools.json', 'utf8')) } });
    } else if (method === 'tools/call') {
      const result = calls[params.name](params.arguments ?? {});
      if (result) say({ id, result });
    } else if (id !== undefined) {
      say({ id, error: { code: -32601, message: 'no such method' } });
    }
  }
});
process.stdin.on('end', () => process.exit(0));
