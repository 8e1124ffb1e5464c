import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const server = process.env.TIDEWIRE_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react()],
  build: {
    // Everything is a file of its own: the page's security policy allows no data: URLs.
    assetsInlineLimit: 0,
    // The placeholder that lets Go build without Node stays where it is.
    emptyOutDir: true,
    target: 'es2022',
    // Whose work the bundle carries; the font's licence lies in public/licenses.
    license: { fileName: 'licenses/packages.md' },
    // The component library is half of the main piece; 180 kB as it travels.
    chunkSizeWarningLimit: 700,
  },
  server: {
    proxy: { '/api': { target: server, ws: true } },
  },
  test: {
    environment: 'node',
    include: ['src/**/*.test.ts'],
  },
});
