import { createTheme, type MantineColorsTuple } from '@mantine/core';

const tide: MantineColorsTuple = [
  '#e4fafd', '#c9f0f6', '#98e1ec', '#62d0e1', '#37c1d7', '#1bb1c9', '#0b95ac', '#087b90', '#086576', '#044d5b',
];

// Dark surfaces with a little blue, so that the lines of a chart keep their colours.
const dark: MantineColorsTuple = [
  '#d3dae3', '#aab5c3', '#8593a5', '#5d6b7d', '#394655', '#2a3542', '#1b232d', '#131a22', '#0e141a', '#090d12',
];

export const theme = createTheme({
  primaryColor: 'tide',
  primaryShade: { light: 7, dark: 5 },
  colors: { tide, dark },
  autoContrast: true,
  fontFamily: "'Inter Variable', system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace",
  headings: { fontWeight: '650', sizes: { h1: { fontSize: '1.5rem', lineHeight: '1.3' }, h2: { fontSize: '1.1rem', lineHeight: '1.4' } } },
  defaultRadius: 'md',
  cursorType: 'pointer',
});
