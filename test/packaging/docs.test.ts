import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { MESSAGES } from '../../protocol/index.ts';
import { asyncApi } from '../../scripts/docs/asyncapi.ts';
import { documents } from '../../scripts/docs/documents.ts';
import { fieldsOf } from '../../scripts/docs/fields.ts';
import { findStale, write } from '../../scripts/docs/folder.ts';
import { wireLimits } from '../../scripts/docs/limits.ts';
import { findBrokenLinks } from '../../scripts/docs/links.ts';
import { schemaOf } from '../../scripts/docs/schemas.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mutirao-docs-'));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('the generated documents', () => {
  it('are the same every time', () => {
    expect([...documents()]).toEqual([...documents()]);
  });

  it('name every message', () => {
    const page = documents().get('docs/PROTOCOL.md');
    for (const { id } of MESSAGES) expect(page).toContain(`<a id="${id}"></a>`);
  });

  it('are stale when one is missing, changed or not generated any more, until they are written', () => {
    const all = documents();
    expect(findStale(root, all)).toHaveLength(all.size);
    write(root, all);
    expect(findStale(root, all)).toEqual([]);

    writeFileSync(join(root, 'docs/PROTOCOL.md'), 'edited by hand');
    rmSync(join(root, 'docs/schemas/nack.json'));
    writeFileSync(join(root, 'docs/schemas/old.json'), '{}');
    expect(findStale(root, all)).toEqual([
      'docs/PROTOCOL.md is not what the sources say',
      'docs/schemas/nack.json is not what the sources say',
      'docs/schemas/old.json is not generated any more',
    ]);
    write(root, all);
    expect(findStale(root, all)).toEqual([]);
  });
});

describe('the JSON Schema of', () => {
  it.each(MESSAGES.map((message) => [message.id, message] as const))(
    '%s accepts its example',
    (_id, message) => {
      const schema = z.fromJSONSchema(JSON.parse(JSON.stringify(schemaOf(message))));
      expect(schema.safeParse(message.example).error).toBeUndefined();
      expect(schema.safeParse({}).success).toBe(false);
    },
  );
});

describe('the AsyncAPI document', () => {
  it('has no reference that leads nowhere', () => {
    const document = asyncApi();
    const all = documents();
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(
      ([, path = '']) => path,
    );
    expect(references.length).toBeGreaterThan(MESSAGES.length);
    for (const reference of references) {
      if (reference.startsWith('./')) expect(all.has(reference.replace('./', 'docs/'))).toBe(true);
      else expect(follow(document, reference), reference).toBeDefined();
    }
  });

  it('lets a server send or receive every message', () => {
    const operations = Object.values((asyncApi() as { operations: object }).operations);
    for (const { id } of MESSAGES) expect(JSON.stringify(operations)).toContain(`/messages/${id}"`);
  });
});

function follow(document: unknown, reference: string): unknown {
  return reference
    .slice(2)
    .split('/')
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document);
}

describe('the tables', () => {
  it('show nested keys, what they may be and whether they are needed', () => {
    const schema = z.toJSONSchema(
      z.object({
        LIST: z.array(z.object({ A: z.int().min(1).max(2_000) })),
        B: z.enum(['x', 'y']).optional(),
      }),
      { target: 'draft-7' },
    );
    expect(fieldsOf(schema as never).map(({ path, type, isRequired }) => [path, type, isRequired])).toEqual([
      ['LIST', 'list of objects', true],
      ['LIST[].A', 'whole number 1–2,000', true],
      ['B', '"x" or "y"', false],
    ]);
  });

  it('say why each limit of the wire is there', () => {
    for (const { why, value } of wireLimits()) {
      expect(why.length).toBeGreaterThan(20);
      expect(value).toBeGreaterThan(0);
    }
  });
});

describe('links', () => {
  it('to files that do not exist are found, others are not', () => {
    mkdirSync(join(root, 'docs'));
    writeFileSync(
      join(root, 'README.md'),
      '[a](docs/A.md#x) [b](https://example.org) `[c](nowhere.md)` [d](#here)',
    );
    writeFileSync(join(root, 'docs/A.md'), '[up](../README.md) [gone](gone.md)');
    expect(findBrokenLinks(root)).toEqual(['docs/A.md links to docs/gone.md, which does not exist']);
  });
});
