import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeHeader,
  decodePrefix,
  encodeHeader,
  type MessageHeader,
  maxHeaderBytes,
} from "../../../../keepers/src/storage/transport/codec.ts";
import { MalformedMessageError } from "../../../../keepers/src/storage/transport/errors.ts";
import { generator } from "../random.ts";

const random = generator(11);

function anyValue(depth: number): unknown {
  switch (random.integer(depth > 3 ? 5 : 7)) {
    case 0:
      return random.integer(2) === 0;
    case 1:
      return random.integer(2 ** 31) - 2 ** 30;
    case 2:
      return String.fromCodePoint(...Array.from({ length: random.integer(9) }, () => random.integer(0xd7ff)));
    case 3:
      return null;
    case 4:
      return `0x${Buffer.from(random.bytes(32)).toString("hex")}`;
    case 5:
      return Array.from({ length: random.integer(5) }, () => anyValue(depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random.integer(5) }, (_, i) => [`f${i}`, anyValue(depth + 1)]),
      );
  }
}

test("any header comes back as it was", () => {
  for (let round = 0; round < 2000; round++) {
    const header: MessageHeader = { method: "m", params: anyValue(0), body: random.integer(2 ** 31) };
    const bytes = encodeHeader(header);
    const length = decodePrefix(bytes.subarray(0, 4));
    assert.equal(length, bytes.length - 4);
    assert.deepEqual(decodeHeader(bytes.subarray(4)), header);
  }
});

test("a changed header is refused or is another header, but never anything else", () => {
  const good = encodeHeader({ method: "get", params: { offset: 1 }, body: 5 }).subarray(4);
  for (let round = 0; round < 5000; round++) {
    const bytes = good.slice(0, random.integer(3) === 0 ? random.integer(good.length) : good.length);
    for (let flips = random.integer(4); flips > 0 && bytes.length > 0; flips--) {
      bytes[random.integer(bytes.length)] = random.integer(256);
    }
    try {
      const { body } = decodeHeader(bytes);
      assert.ok(Number.isSafeInteger(body) && body >= 0);
    } catch (error) {
      assert.ok(error instanceof MalformedMessageError, String(error));
    }
  }
});

test("headers that claim too much or too little are refused before they are read", () => {
  for (const length of [0, 1, maxHeaderBytes + 1, 0xffffffff]) {
    const prefix = new Uint8Array(4);
    new DataView(prefix.buffer).setUint32(0, length);
    assert.throws(() => decodePrefix(prefix), MalformedMessageError);
  }
  assert.throws(() => encodeHeader({ body: 0, text: "x".repeat(maxHeaderBytes) }), MalformedMessageError);
});

test("bodies of no length, a negative one or a fraction are refused", () => {
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  for (const text of [
    '{"body":-1}',
    '{"body":1.5}',
    '{"body":"1"}',
    '{"body":1e999}',
    "{}",
    "[]",
    "null",
    "7",
    '{"body":0',
    "",
  ]) {
    assert.throws(() => decodeHeader(encode(text)), MalformedMessageError, text);
  }
  assert.throws(() => decodeHeader(Uint8Array.of(0x7b, 0xff, 0x7d)), MalformedMessageError, "not UTF-8");
});
