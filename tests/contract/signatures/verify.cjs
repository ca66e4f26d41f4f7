// Verifies webhooks with the Standard Webhooks library of npm; run where that is installed.
// Takes a JSON list of {secret, headers, body} on standard input, the body in base64; prints a list of "valid" or why not.
const {createRequire} = require('module');
const {Webhook} = createRequire(process.cwd() + '/')('standardwebhooks');

function verdict({secret, headers, body}) {
    try {
        new Webhook(secret).verify(Buffer.from(body, 'base64').toString('utf8'), headers);
        return 'valid';
    } catch (error) {
        return error.message;
    }
}

const cases = JSON.parse(require('fs').readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify(cases.map(verdict)));
