"use strict";
// From the bytes of a PNG, JPEG or WebP file to its pixels, upright: what `linprobe.data.pictures` does with Pillow, to
// the last bit. PNG is decoded here, because a browser's own way to pixels manages colours. JPEG and WebP are decoded by the
// browser, stripped of their metadata first, so that no colour profile and no orientation moves a pixel.
// The other scripts of the model find decode(blob) -> {width, height, rgba} at its section.
(() => {
  const MOST_PIXELS = 2 ** 24;
  const LONGEST_SIDE = 2 ** 16 - 1;
  const MOST_BYTES = 4 * MOST_PIXELS;
  const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  const JPEG = [0xff, 0xd8, 0xff];
  const RIFF = [0x52, 0x49, 0x46, 0x46];
  const NO_PICTURE = "is not a PNG, JPEG or WebP image; convert it";
  const DAMAGED = "is a damaged picture; replace it";
  const DEEP = "has 16 bits a pixel, 8 are expected; convert it";

  // A finding about the file, to be said in the page; any other error is a fault of these scripts.
  class PictureError extends Error {}

  function refuse(finding) {
    throw new PictureError(finding);
  }

  const number = (value) => value.toLocaleString("en");

  function checkSize(width, height) {
    const pixels = width * height;
    const fits = Math.max(width, height) <= LONGEST_SIDE;
    if (pixels > 0 && pixels <= MOST_PIXELS && fits) return;
    const limit = fits ? `1 to ${number(MOST_PIXELS)}` : `sides to ${number(LONGEST_SIDE)}`;
    refuse(`announces ${number(width)} x ${number(height)} pixels, ${limit} are decoded; make it smaller`);
  }

  async function decode(blob) {
    if (blob.size > MOST_BYTES) {
      refuse(`has ${number(blob.size)} bytes, at most ${number(MOST_BYTES)} are decoded; make it smaller`);
    }
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const begins = (signature) => signature.every((byte, at) => bytes[at] === byte);
    const isWebp = begins(RIFF) && text(bytes, 8, 4) === "WEBP";
    const decoder = begins(PNG) ? decodePng : begins(JPEG) ? decodeJpeg : isWebp ? decodeWebp : () => refuse(NO_PICTURE);
    try {
      const { image, exif } = await decoder(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
      return turn(image, orientation(exif));
    } catch (error) {
      if (error instanceof RangeError) refuse(DAMAGED); // something that announces more than there is
      throw error;
    }
  }

  const text = (bytes, at, length) => String.fromCharCode(...bytes.subarray(at, at + length));

  // PNG: ISO/IEC 15948.

  const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
  const DEPTHS = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };
  const WHOLE = [[0, 0, 1, 1]];
  const INTERLACED = [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
  ]; // first column, first row, and the distance to the next, of each pass

  async function decodePng(bytes, view) {
    const { chunks, data } = readChunks(bytes, view);
    const head = chunks.get("IHDR");
    if (head === undefined || head.length < 13) refuse(DAMAGED);
    const header = new DataView(head.buffer, head.byteOffset, 13);
    const [width, height] = [header.getUint32(0), header.getUint32(4)];
    const [depth, kind, , filters, interlaced] = head.subarray(8, 13);
    checkSize(width, height);
    if (!DEPTHS[kind]?.includes(depth) || filters !== 0 || (kind === 3 && !chunks.has("PLTE"))) refuse(DAMAGED);
    if (kind === 0 && depth === 16) refuse(DEEP);
    const bits = CHANNELS[kind] * depth;
    const passes = (interlaced ? INTERLACED : WHOLE)
      .map(([x, y, dx, dy]) => ({ x, y, dx, dy, columns: Math.ceil((width - x) / dx), rows: Math.ceil((height - y) / dy) }))
      .filter(({ columns, rows }) => columns > 0 && rows > 0)
      .map((pass) => ({ ...pass, rowBytes: Math.ceil((pass.columns * bits) / 8) }));
    const raw = await inflate(data, passes.reduce((total, { rows, rowBytes }) => total + rows * (rowBytes + 1), 0));
    const image = { width, height, rgba: new Uint8Array(4 * width * height) };
    const paint = painter(raw, image.rgba, kind, depth, chunks);
    let start = 0;
    for (const { x, y, dx, dy, columns, rows, rowBytes } of passes) {
      unfilter(raw, start, rows, rowBytes, Math.max(1, bits >> 3));
      for (let row = 0; row < rows; row += 1) {
        const at = start + row * (rowBytes + 1) + 1;
        const first = (y + row * dy) * width + x;
        for (let column = 0; column < columns; column += 1) paint(at, column, 4 * (first + column * dx));
      }
      start += rows * (rowBytes + 1);
    }
    return { image, exif: chunks.get("eXIf") };
  }

  function readChunks(bytes, view) {
    const chunks = new Map();
    const data = [];
    for (let at = PNG.length; at + 8 <= bytes.length; ) {
      const length = view.getUint32(at);
      const name = text(bytes, at + 4, 4);
      const body = bytes.subarray(at + 8, at + 8 + length);
      if (name === "IEND") break;
      if (name === "IDAT") data.push(body);
      else if (!chunks.has(name)) chunks.set(name, body);
      // As in Pillow: what comes with the pixels or after them is not checked.
      const checked = data.length === 0;
      if (checked && checksum(bytes.subarray(at + 4, at + 8 + length)) !== view.getUint32(at + 8 + length)) refuse(DAMAGED);
      at += length + 12;
    }
    return { chunks, data };
  }

  // The cyclic redundancy check of PNG, bit by bit: there is little of it.
  function checksum(bytes) {
    let rest = -1;
    for (const byte of bytes) {
      rest ^= byte;
      for (let bit = 0; bit < 8; bit += 1) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
    }
    return ~rest >>> 0;
  }

  // The first `size` bytes; no more are taken, whatever the stream would grow to.
  async function inflate(parts, size) {
    const out = new Uint8Array(size);
    const reader = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
    let filled = 0;
    try {
      while (filled < size) {
        const { done, value } = await reader.read();
        if (done) break;
        out.set(value.subarray(0, size - filled), filled);
        filled += Math.min(value.length, size - filled);
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // what the stream throws at bytes that are not zlib's
    }
    reader.cancel().catch(() => {}); // one that has failed cannot be cancelled, and need not be
    if (filled < size) refuse(DAMAGED);
    return out;
  }

  function unfilter(raw, start, rows, rowBytes, step) {
    for (let row = 0; row < rows; row += 1) {
      const at = start + row * (rowBytes + 1) + 1;
      const filter = raw[at - 1];
      if (filter > 4) refuse(DAMAGED);
      if (filter === 0) continue;
      for (let i = 0; i < rowBytes; i += 1) {
        const left = i < step ? 0 : raw[at + i - step];
        const above = row === 0 ? 0 : raw[at + i - rowBytes - 1];
        const corner = row === 0 || i < step ? 0 : raw[at + i - rowBytes - 1 - step];
        if (filter === 1) raw[at + i] += left;
        else if (filter === 2) raw[at + i] += above;
        else if (filter === 3) raw[at + i] += (left + above) >> 1;
        else raw[at + i] += paeth(left, above, corner);
      }
    }
  }

  function paeth(left, above, corner) {
    const [a, b, c] = [Math.abs(above - corner), Math.abs(left - corner), Math.abs(left + above - 2 * corner)];
    return a <= b && a <= c ? left : b <= c ? above : corner;
  }

  // paint(at, column, to): the pixel `column` of the row of samples at raw[at] becomes rgba[to] to rgba[to + 3].
  function painter(raw, rgba, kind, depth, chunks) {
    const sampleBytes = depth >> 3;
    const mask = (1 << depth) - 1;
    // Of 16 bits the upper 8. Fewer than 8 are spread over 0 to 255, but for those that number a colour.
    const spread = depth < 8 && kind === 0 ? 255 / mask : 1;
    const sample = (at, i) =>
      depth >= 8
        ? raw[at + i * sampleBytes]
        : ((raw[at + ((i * depth) >> 3)] >> (8 - depth - ((i * depth) & 7))) & mask) * spread;
    const put = (to, red, green, blue, alpha) => {
      rgba[to] = red;
      rgba[to + 1] = green;
      rgba[to + 2] = blue;
      rgba[to + 3] = alpha;
    };
    const clear = chunks.get("tRNS") ?? [];
    if (kind === 3) {
      const palette = readPalette(chunks.get("PLTE"), clear);
      return (at, column, to) => rgba.set(palette.subarray(4 * sample(at, column), 4 * sample(at, column) + 4), to);
    }
    if (kind === 4) {
      return (at, column, to) => {
        const grey = sample(at, 2 * column);
        put(to, grey, grey, grey, sample(at, 2 * column + 1));
      };
    }
    if (kind === 6) {
      return (at, column, to) => {
        for (let i = 0; i < 4; i += 1) rgba[to + i] = sample(at, 4 * column + i);
      };
    }
    // The colour that is transparent is compared as Pillow does, by its lower 8 bits; with 1 bit, black or not.
    const key = [1, 3, 5].map((i) => (depth === 1 ? (clear[i] || clear[i - 1] ? 255 : 0) : clear[i]));
    if (kind === 0) {
      return (at, column, to) => {
        const grey = sample(at, column);
        put(to, grey, grey, grey, clear.length > 1 && grey === key[0] ? 0 : 255);
      };
    }
    return (at, column, to) => {
      const red = sample(at, 3 * column);
      const green = sample(at, 3 * column + 1);
      const blue = sample(at, 3 * column + 2);
      const hidden = clear.length > 5 && red === key[0] && green === key[1] && blue === key[2];
      put(to, red, green, blue, hidden ? 0 : 255);
    };
  }

  function readPalette(colours, alphas) {
    const palette = new Uint8Array(4 * 256);
    for (let k = 0; k < 256; k += 1) {
      for (let i = 0; i < 3; i += 1) palette[4 * k + i] = colours[3 * k + i] ?? 0; // black where a file gives no colour
      palette[4 * k + 3] = alphas[k] ?? 255;
    }
    return palette;
  }

  // JPEG: ITU-T T.81.

  const [START_OF_SCAN, APP0, APP1, APP14] = [0xda, 0xe0, 0xe1, 0xee];
  const isFrame = (marker) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
  // Application data, but for what says how the colours are coded; and comments.
  const isAside = (marker) => (marker > APP0 && marker <= 0xef && marker !== APP14) || marker === 0xfe;

  async function decodeJpeg(bytes, view) {
    const { parts, exif, width, height } = readSegments(bytes, view);
    return { image: await drawn(parts, "image/jpeg", width, height), exif };
  }

  // The pixels of a picture without metadata, by the browser. Its canvas multiplies them by their transparency and divides
  // again, which rounds twice; laid on white, they are what they would have been, as 255 a / 255 is a whole number.
  async function drawn(parts, type, width, height) {
    let bitmap;
    try {
      const blob = new Blob(parts, { type });
      bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      refuse(DAMAGED);
    }
    if (bitmap.width !== width || bitmap.height !== height) refuse(DAMAGED);
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    return { width, height, rgba: new Uint8Array(context.getImageData(0, 0, width, height).data.buffer) };
  }

  function readSegments(bytes, view) {
    const parts = [bytes.subarray(0, 2)];
    let frame, exif;
    for (let at = 2; ; ) {
      if (view.getUint8(at) !== 0xff) refuse(DAMAGED);
      const marker = view.getUint8(at + 1);
      if (marker === 0xff) {
        at += 1; // a fill byte
        continue;
      }
      if (marker === START_OF_SCAN) {
        const rest = bytes.subarray(at);
        if (frame === undefined || !hasEnd(rest)) refuse(DAMAGED);
        parts.push(rest);
        return { parts, exif, ...frame };
      }
      const end = at + 2 + view.getUint16(at + 2);
      const body = bytes.subarray(at + 4, end);
      if (isFrame(marker)) frame = readFrame(view, at + 4);
      if (marker === APP1 && exif === undefined && text(body, 0, 6) === "Exif\0\0") {
        exif = body.subarray(6);
      }
      if (!isAside(marker)) parts.push(bytes.subarray(at, end));
      at = end;
    }
  }

  function readFrame(view, at) {
    const [bits, height, width] = [view.getUint8(at), view.getUint16(at + 1), view.getUint16(at + 3)];
    if (bits !== 8) refuse(DEEP);
    if (view.getUint8(at + 5) === 4) refuse("has CMYK colours, grey or RGB is expected; convert it");
    checkSize(width, height);
    return { width, height };
  }

  // Inside a scan no byte ff is followed by d9 but at the end of the picture.
  function hasEnd(bytes) {
    for (let at = bytes.indexOf(0xff); at >= 0; at = bytes.indexOf(0xff, at + 1)) if (bytes[at + 1] === 0xd9) return true;
    return false;
  }

  // WebP: RFC 9649.

  const [ICC_FLAG, EXIF_FLAG, XMP_FLAG] = [0x20, 0x08, 0x04];
  const METADATA = ["ICCP", "EXIF", "XMP "];

  async function decodeWebp(bytes, view) {
    const { chunks, exif } = readRiff(bytes, view);
    const { width, height } = webpSize(chunks[0]);
    checkSize(width, height);
    const size = chunks.reduce((total, { whole }) => total + whole.length, 4);
    const head = new Uint8Array([...RIFF, 0, 0, 0, 0, ...bytes.subarray(8, 12)]);
    new DataView(head.buffer).setUint32(4, size, true);
    const parts = [head, ...chunks.map(({ whole }) => whole)];
    return { image: await drawn(parts, "image/webp", width, height), exif };
  }

  // The chunks that are not metadata, and the block of EXIF where the header says that there is one.
  function readRiff(bytes, view) {
    const end = 8 + view.getUint32(4, true);
    if (end > bytes.length) refuse(DAMAGED);
    const chunks = [];
    let exif;
    for (let at = 12; at + 8 <= end; ) {
      const name = text(bytes, at, 4);
      const length = view.getUint32(at + 4, true);
      const next = at + 8 + length + (length & 1);
      if (next > end) refuse(DAMAGED);
      const chunk = { name, whole: bytes.slice(at, next), body: bytes.subarray(at + 8, at + 8 + length) };
      if (name === "EXIF") exif ??= chunk.body;
      if (!METADATA.includes(name)) chunks.push(chunk);
      at = next;
    }
    if (chunks.length === 0) refuse(DAMAGED);
    const { name, whole, body } = chunks[0];
    const says = name === "VP8X" && (body[0] & EXIF_FLAG) !== 0;
    if (name === "VP8X") whole[8] &= ~(ICC_FLAG | EXIF_FLAG | XMP_FLAG);
    if (exif !== undefined && text(exif, 0, 6) === "Exif\0\0") exif = exif.subarray(6);
    return { chunks, exif: says ? exif : undefined };
  }

  function webpSize({ name, body }) {
    const view = new DataView(body.buffer, body.byteOffset, body.length);
    const three = (at) => view.getUint16(at, true) + (view.getUint8(at + 2) << 16);
    if (name === "VP8X") return { width: 1 + three(4), height: 1 + three(7) };
    if (name === "VP8 ") return { width: view.getUint16(6, true) & 0x3fff, height: view.getUint16(8, true) & 0x3fff };
    if (name !== "VP8L") refuse(DAMAGED);
    const bits = view.getUint32(1, true);
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >> 14) & 0x3fff) };
  }

  // 1 to 8, as a block of EXIF says; 1 where there is none, or a damaged one.
  function orientation(exif) {
    if (exif === undefined || exif.length < 8) return 1;
    const view = new DataView(exif.buffer, exif.byteOffset, exif.length);
    const little = view.getUint16(0) === 0x4949;
    if ((!little && view.getUint16(0) !== 0x4d4d) || view.getUint16(2, little) !== 42) return 1;
    const start = view.getUint32(4, little);
    try {
      for (let entry = start + 2; entry < start + 2 + 12 * view.getUint16(start, little); entry += 12) {
        if (view.getUint16(entry, little) !== 0x0112) continue;
        const [type, count] = [view.getUint16(entry + 2, little), view.getUint32(entry + 4, little)];
        const value = type === 4 ? view.getUint32(entry + 8, little) : view.getUint16(entry + 8, little);
        return (type === 3 || type === 4) && count === 1 && value >= 1 && value <= 8 ? value : 1;
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
    return 1;
  }

  function turn(image, how) {
    if (how === 1) return image;
    const lying = how >= 5;
    const [fromRight, fromBottom] = [[2, 3, 7, 8].includes(how), [3, 4, 6, 7].includes(how)];
    const [width, height] = lying ? [image.height, image.width] : [image.width, image.height];
    const [from, to] = [new Uint32Array(image.rgba.buffer), new Uint32Array(width * height)];
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        const [u, v] = lying ? [y, x] : [x, y];
        const column = fromRight ? image.width - 1 - u : u;
        to[y * width + x] = from[(fromBottom ? image.height - 1 - v : v) * image.width + column];
      }
    }
    return { width, height, rgba: new Uint8Array(to.buffer) };
  }

  Object.assign(document.getElementById("model"), { decode, PictureError });
})();
