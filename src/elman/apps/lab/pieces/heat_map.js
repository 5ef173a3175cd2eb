// A heat map on a canvas: the numbers come once, as bytes; every frame draws a part of one picture.
const VIRIDIS = [
  [68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129],
  [92, 200, 99], [170, 220, 50], [253, 231, 37],
];
const BOTH = [ // blue below zero, orange above it
  [8, 64, 129], [43, 120, 185], [120, 178, 220], [200, 220, 235], [245, 245, 245],
  [250, 215, 175], [244, 165, 90], [217, 110, 20], [140, 60, 0],
];
const MARGIN = { left: 46, top: 6, bottom: 34 }; // pixels for numbers of units, for steps
const LARGEST = 48; // pixels of a cell

function colours(points) {
  const table = new Uint32Array(256);
  for (let level = 0; level < 256; level++) {
    const at = (level / 255) * (points.length - 1);
    const low = Math.min(points.length - 2, Math.floor(at));
    const [r, g, b] = points[low].map((c, k) => Math.round(c + (points[low + 1][k] - c) * (at - low)));
    table[level] = (255 << 24) | (b << 16) | (g << 8) | r;
  }
  return table;
}

function shown(step) {
  return step.replace(/\n/g, "⏎").replace(/\t/g, "⇥").replace(/^ $/, "␣");
}

export default {
  template: `
    <div class="lab-map">
      <canvas ref="canvas" tabindex="0" role="img" :aria-label="label"
        @keydown="key" @wheel="wheel" @pointerdown="down" @pointermove="move" @pointerup="up"
        @pointercancel="up" @pointerleave="leave"></canvas>
      <div ref="tip" class="lab-map-tip" aria-hidden="true"></div>
      <div class="lab-map-foot">
        <span class="lab-map-scale"><span>{{ lowest }}</span>
          <span class="lab-map-bar" :style="{ background: gradient }"></span><span>{{ highest }}</span></span>
        <button type="button" @click="zoom(1.6)">{{ words.closer }}</button>
        <button type="button" @click="zoom(1 / 1.6)">{{ words.further }}</button>
        <button type="button" @click="fit">{{ words.whole }}</button>
        <span role="status" class="lab-map-status">{{ status }}</span>
      </div>
      <div class="lab-help">{{ words.keys }}</div>
    </div>`,
  props: { words: Object },
  emits: ["point", "stretch", "ready"],
  data: () => ({ label: "", status: "", lowest: "", highest: "", gradient: "none" }),
  created() { // not watched by Vue: it is read at every frame
    Object.assign(this, { map: null, picture: null, at: { step: 0, unit: 0 }, anchor: null,
      stretch: null, marks: [], hold: null, waiting: false, view: { x: 0, y: 0, w: 1, h: 1 } });
  },
  mounted() {
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(this.$refs.canvas);
    this.shade = new MutationObserver(() => this.soon());
    this.shade.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    this.$emit("ready");
  },
  unmounted() {
    this.watch.disconnect();
    this.shade.disconnect();
  },
  methods: {
    show(coded, T, U, low, high, steps, units, label) {
      const bytes = Uint8Array.from(atob(coded), (c) => c.charCodeAt(0));
      const points = low < 0 ? BOTH : VIRIDIS;
      const table = colours(points);
      this.picture = document.createElement("canvas");
      this.picture.width = T;
      this.picture.height = U;
      const image = new ImageData(T, U);
      const pixels = new Uint32Array(image.data.buffer);
      for (let k = 0; k < bytes.length; k++) pixels[k] = table[bytes[k]];
      this.picture.getContext("2d").putImageData(image, 0, 0);
      const same = this.map && this.map.T === T && this.map.U === U;
      this.map = { bytes, T, U, low, high, steps, units };
      this.label = label;
      this.lowest = low.toPrecision(3).replace(/\.?0+$/, "");
      this.highest = high.toPrecision(3).replace(/\.?0+$/, "");
      this.gradient = `linear-gradient(to right, ${points.map((c) => `rgb(${c})`).join(", ")})`;
      if (!same) {
        Object.assign(this, { at: { step: 0, unit: 0 }, anchor: null, stretch: null, marks: [] });
        this.fit();
      }
      this.soon();
    },
    outline(stretches) {
      this.marks = stretches;
      this.soon();
    },
    value({ step, unit }) {
      const { bytes, T, low, high } = this.map;
      return low + (bytes[unit * T + step] / 255) * (high - low);
    },
    said(at) {
      const { units, steps } = this.map;
      const read = steps[at.step] === undefined ? "" : ` “${shown(steps[at.step])}”`;
      const unit = units[at.unit] ?? at.unit;
      return `${this.words.unit} ${unit}, ${this.words.step} ${at.step + 1}${read}: ${this.value(at).toFixed(2)}`;
    },
    fit() {
      if (!this.map) return;
      this.view = { x: 0, y: 0, w: this.map.T, h: this.map.U };
      this.soon();
    },
    inner() { // the part of the canvas that shows cells, in CSS pixels
      const { clientWidth, clientHeight } = this.$refs.canvas;
      return { w: Math.max(1, clientWidth - MARGIN.left), h: Math.max(1, clientHeight - MARGIN.top - MARGIN.bottom) };
    },
    keep() { // the view within the picture
      const { T, U } = this.map, view = this.view, { w, h } = this.inner();
      view.w = Math.min(T, Math.max(view.w, Math.min(T, w / LARGEST)));
      view.h = Math.min(U, Math.max(view.h, Math.min(U, h / LARGEST)));
      view.x = Math.min(T - view.w, Math.max(0, view.x));
      view.y = Math.min(U - view.h, Math.max(0, view.y));
    },
    zoom(factor, at) {
      if (!this.map) return;
      const view = this.view;
      const x = at ? at.x : view.x + view.w / 2, y = at ? at.y : view.y + view.h / 2;
      const before = { ...view };
      view.w /= factor;
      view.h /= factor;
      this.keep();
      view.x = x - ((x - before.x) * view.w) / before.w;
      view.y = y - ((y - before.y) * view.h) / before.h;
      this.keep();
      this.soon();
    },
    place(event) { // the cell below the pointer, with its parts
      const box = this.$refs.canvas.getBoundingClientRect(), { w, h } = this.inner();
      return {
        x: this.view.x + ((event.clientX - box.left - MARGIN.left) / w) * this.view.w,
        y: this.view.y + ((event.clientY - box.top - MARGIN.top) / h) * this.view.h,
      };
    },
    cell({ x, y }) {
      const { T, U } = this.map;
      return {
        step: Math.min(T - 1, Math.max(0, Math.floor(x))),
        unit: Math.min(U - 1, Math.max(0, Math.floor(y))),
      };
    },
    wheel(event) {
      if (!this.map || !(event.ctrlKey || document.activeElement === this.$refs.canvas)) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), this.place(event));
    },
    down(event) {
      if (!this.map) return;
      this.$refs.canvas.setPointerCapture(event.pointerId);
      const place = this.place(event);
      this.hold = { place, x: event.clientX, y: event.clientY, moved: false, chooses: event.shiftKey };
      if (event.shiftKey) this.stretch = this.from(this.cell(place).step, this.cell(place).step);
      this.soon();
    },
    move(event) {
      if (!this.map) return;
      const place = this.place(event), hold = this.hold;
      if (hold) {
        hold.moved ||= Math.abs(event.clientX - hold.x) + Math.abs(event.clientY - hold.y) > 3;
        if (hold.chooses) {
          this.stretch = this.from(this.cell(hold.place).step, this.cell(place).step);
        } else if (hold.moved) {
          this.view.x += hold.place.x - place.x;
          this.view.y += hold.place.y - place.y;
          this.keep();
        }
        this.soon();
      }
      this.tell(event, place);
    },
    up(event) {
      const hold = this.hold;
      this.hold = null;
      if (!hold || event.type === "pointercancel") return;
      if (hold.chooses) this.$emit("stretch", [...this.stretch]);
      else if (!hold.moved) this.point(this.cell(this.place(event)));
    },
    leave() {
      this.$refs.tip.style.display = "none";
    },
    tell(event, place) {
      const tip = this.$refs.tip, box = this.$refs.canvas.getBoundingClientRect();
      tip.textContent = this.said(this.cell(place));
      const x = event.clientX - box.left, y = event.clientY - box.top;
      tip.style.display = "block";
      tip.style.left = `${Math.max(0, Math.min(x + 12, box.width - tip.offsetWidth))}px`;
      tip.style.top = `${y > 60 ? y - 34 : y + 18}px`;
    },
    from(one, other) {
      return [Math.min(one, other), Math.max(one, other) + 1];
    },
    point(cell) {
      this.at = cell;
      this.anchor = null;
      this.status = this.said(cell);
      this.$emit("point", [cell.step, cell.unit]);
      this.soon();
    },
    key(event) {
      if (!this.map) return;
      const { T, U } = this.map, far = event.ctrlKey ? 10 : 1;
      const by = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far],
        PageUp: [0, -20], PageDown: [0, 20], Home: [-T, 0], End: [T, 0] }[event.key];
      if (event.key === "+" || event.key === "=") this.zoom(1.6, { x: this.at.step, y: this.at.unit });
      else if (event.key === "-") this.zoom(1 / 1.6, { x: this.at.step, y: this.at.unit });
      else if (event.key === "0") this.fit();
      else if (by) {
        const to = this.cell({ x: this.at.step + by[0], y: this.at.unit + by[1] });
        if (event.shiftKey && by[0]) {
          this.anchor ??= this.at.step;
          this.stretch = this.from(this.anchor, to.step);
          this.at = to;
          this.status = `${this.words.stretch} ${this.stretch[0] + 1}–${this.stretch[1]}`;
          this.$emit("stretch", [...this.stretch]);
        } else this.point(to);
        this.reveal();
      } else return;
      event.preventDefault();
    },
    reveal() { // moves the view so that the mark is in it
      const view = this.view, { step, unit } = this.at;
      view.x = Math.max(Math.min(view.x, step), step + 1 - view.w);
      view.y = Math.max(Math.min(view.y, unit), unit + 1 - view.h);
      this.keep();
      this.soon();
    },
    resize() {
      const canvas = this.$refs.canvas, ratio = window.devicePixelRatio || 1;
      canvas.width = Math.round(canvas.clientWidth * ratio);
      canvas.height = Math.round(canvas.clientHeight * ratio);
      if (this.map) this.keep();
      this.soon();
    },
    soon() {
      if (this.waiting) return;
      this.waiting = true;
      requestAnimationFrame(() => {
        this.waiting = false;
        if (this.map && this.$refs.canvas) this.draw();
      });
    },
    draw() {
      const canvas = this.$refs.canvas, pen = canvas.getContext("2d"), ratio = window.devicePixelRatio || 1;
      const { w, h } = this.inner(), view = this.view, { T, U, steps } = this.map;
      const kx = w / view.w, ky = h / view.h;
      const X = (step) => MARGIN.left + (step - view.x) * kx, Y = (unit) => MARGIN.top + (unit - view.y) * ky;
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
      pen.imageSmoothingEnabled = kx < 1 || ky < 1;
      pen.drawImage(this.picture, view.x, view.y, view.w, view.h, MARGIN.left, MARGIN.top, w, h);
      pen.fillStyle = getComputedStyle(canvas).color;
      pen.font = "12px ui-monospace, 'DejaVu Sans Mono', monospace";
      pen.textBaseline = "middle";
      pen.textAlign = "right";
      const down = this.spacing(18 / ky);
      for (let u = Math.ceil(view.y / down) * down; u < Math.min(U, view.y + view.h); u += down)
        pen.fillText(String(u), MARGIN.left - 5, Math.min(MARGIN.top + h - 5, Y(u + 0.5)));
      pen.textAlign = "center";
      const right = this.spacing(52 / kx);
      for (let t = Math.ceil(view.x / right) * right; t < Math.min(T, view.x + view.w); t += right)
        pen.fillText(String(t + 1), Math.min(MARGIN.left + w - 12, X(t + 0.5)), MARGIN.top + h + 25);
      if (kx >= 9) {
        let free = MARGIN.left - kx / 2; // from where on no word stands
        for (let t = Math.floor(view.x); t < Math.min(T, view.x + view.w); t++) {
          if (steps[t] === undefined || X(t + 0.5) < MARGIN.left) continue;
          const word = this.fitting(pen, shown(steps[t]), kx - 1), half = pen.measureText(word).width / 2;
          if (X(t + 0.5) - half < free) continue; // a wide letter, such as Han, reaches into this step
          pen.fillText(word, X(t + 0.5), MARGIN.top + h + 9);
          free = X(t + 0.5) + half;
        }
      }
      const frame = (start, stop, colour) => {
        pen.strokeStyle = colour;
        pen.lineWidth = 3;
        const a = Math.max(X(start), MARGIN.left), b = Math.min(X(stop), MARGIN.left + w);
        if (b > a) pen.strokeRect(a, MARGIN.top + 1, b - a, h - 2);
      };
      this.marks.forEach(([start, stop]) => frame(start, stop, "#56b4e9"));
      if (this.stretch) frame(...this.stretch, "#e69f00");
      pen.lineWidth = 2;
      const { step, unit } = this.at;
      if (step >= view.x - 1 && step < view.x + view.w && unit >= view.y - 1 && unit < view.y + view.h) {
        const size = { w: Math.max(kx, 5), h: Math.max(ky, 5) };
        pen.strokeStyle = "#fff";
        pen.strokeRect(X(step) - 1, Y(unit) - 1, size.w + 2, size.h + 2);
        pen.strokeStyle = "#000";
        pen.strokeRect(X(step) - 2.5, Y(unit) - 2.5, size.w + 5, size.h + 5);
      }
    },
    fitting(pen, word, width) { // its first letters that are no wider, at least one
      const letters = [...word].slice(0, Math.ceil(width / 4));
      while (letters.length > 1 && pen.measureText(letters.join("")).width > width) letters.pop();
      return letters.join("");
    },
    spacing(least) { // 1, 2, 5, 10, …
      for (let unit = 1; ; unit *= 10)
        for (const one of [1, 2, 5]) if (one * unit >= least) return one * unit;
    },
  },
};
