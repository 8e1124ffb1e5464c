import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@hey-api/openapi-ts';
import { expect, test } from 'vitest';
import config from '../openapi-ts.config';

function contents(dir: string): Record<string, string> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map((file) => {
      const path = join(file.parentPath, file.name);
      return [path.slice(dir.length + 1), readFileSync(path, 'utf8')];
    }),
  );
}

test('src/api is what openapi.yaml generates; npm run generate brings it up to date', { timeout: 60_000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tidewire-api-'));
  try {
    const settings = await config;
    await createClient({
      ...(Array.isArray(settings) ? settings[0] : settings),
      input: join(import.meta.dirname, '../../openapi.yaml'),
      output: { path: dir },
      logs: { level: 'silent' },
    } as Parameters<typeof createClient>[0]);
    expect(contents(join(import.meta.dirname, 'api'))).toEqual(contents(dir));
  } finally {
    rmSync(dir, { recursive: true });
  }
});
