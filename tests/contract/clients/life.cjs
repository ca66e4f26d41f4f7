// The life of an enrollment as RingCentral's own JavaScript client writes it; prints what it saw as JSON.
// Run where the client is installed: life.cjs SERVER SECRET JWT WEBHOOK FIRST.wav SECOND.wav TALK.wav
const {createRequire} = require('module');
const fs = require('fs');

const {SDK} = createRequire(process.cwd() + '/')('@ringcentral/sdk');
const ENROLLMENTS = '/ai/audio/v1/enrollments';
const [server, secret, jwt, webhook, ...clips] = process.argv.slice(2);
const [first, second, talk] = clips.map(clip => (
    {encoding: 'Wav', languageCode: 'en-US', content: fs.readFileSync(clip).toString('base64')}
));
const platform = new SDK({server, clientId: 'voxroll', clientSecret: secret}).platform();
const seen = {};

async function told(name, answer) {
    const text = await answer.text();
    seen[name] = [answer.status, text ? JSON.parse(text) : null];
    return seen[name][1];
}

async function ended(jobId) {
    for (;;) {
        const job = await (await platform.get(`/ai/status/v1/jobs/${jobId}`)).json();
        if (job.status !== 'InProgress') return job;
    }
}

async function live() {
    await platform.login({jwt});
    await platform.get(`${ENROLLMENTS}/ann_1`).catch(error => told('absent', error.response));
    await told('created', await platform.post(ENROLLMENTS, {speakerId: 'ann_1', ...first}));
    await told('updated', await platform.patch(`${ENROLLMENTS}/ann_1`, second));
    await told('found', await platform.get(`${ENROLLMENTS}/ann_1`));
    await told('listed', await platform.get(ENROLLMENTS, {partial: true, perPage: 100, page: 1}));
    const asked = {speakerIds: ['ann_1'], ...talk};
    const identify = await platform.post('/ai/audio/v1/async/speaker-identify', asked, {webhook: `${webhook}/identified?n=1&m=2`});
    seen.identified = await ended((await told('identify', identify)).jobId);
    const diarize = await platform.post('/ai/audio/v1/async/speaker-diarize', asked, {webhook: `${webhook}/diarized`});
    seen.diarized = await ended((await told('diarize', diarize)).jobId);
    await platform.refresh();
    await told('deleted', await platform.delete(`${ENROLLMENTS}/ann_1`));
    await platform.logout();
    seen.logged_in = await platform.loggedIn();
}

live().then(() => process.stdout.write(JSON.stringify(seen)), error => {
    process.stderr.write(String(error.stack));
    process.exit(1);
});
