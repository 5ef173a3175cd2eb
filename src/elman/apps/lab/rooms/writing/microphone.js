// Records from the microphone until it is told to stop, at most so many seconds, and hands a WAV file,
// 16 bits, one channel, to a Quasar uploader. The event "microphone" tells "on", "off", or the name of what
// went wrong. `window.elmanMicrophone` is there as long as it records.
async function elmanRecord(upload, seconds) {
  const wrong = (error) => emitEvent("microphone", error.name);
  let stream;
  const ended = () => {
    stream?.getTracks().forEach((track) => track.stop());
    window.elmanMicrophone = undefined;
  };
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const recorder = new MediaRecorder(stream);
    const parts = [];
    const limit = setTimeout(() => recorder.stop(), 1000 * seconds);
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onstop = () => {
      clearTimeout(limit);
      ended();
      emitEvent("microphone", "off");
      elmanSend(upload, new Blob(parts)).catch(wrong);
    };
    window.elmanMicrophone = recorder;
    recorder.start();
    emitEvent("microphone", "on");
  } catch (error) {
    ended();
    wrong(error);
  }
}

async function elmanSend(upload, recorded) {
  const context = new AudioContext();
  try {
    const sound = await context.decodeAudioData(await recorded.arrayBuffer());
    const file = new File([elmanWave(sound)], "microphone.wav", { type: "audio/wav" });
    getElement(upload).$refs.qRef.addFiles([file]);
  } finally {
    await context.close();
  }
}

function elmanWave(sound) {
  const samples = sound.getChannelData(0);
  const bytes = new ArrayBuffer(44 + 2 * samples.length);
  const view = new DataView(bytes);
  const text = (at, word) => [...word].forEach((c, k) => view.setUint8(at + k, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // plain numbers
  view.setUint16(22, 1, true); // one channel
  view.setUint32(24, sound.sampleRate, true);
  view.setUint32(28, 2 * sound.sampleRate, true); // bytes a second
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, k) => {
    view.setInt16(44 + 2 * k, 32767 * Math.max(-1, Math.min(1, sample)), true);
  });
  return bytes;
}
