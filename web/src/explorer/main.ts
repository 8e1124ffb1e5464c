// The API explorer at /docs: openapi.yaml of this server, with calls to try as the user who is
// logged in to the web app. Nothing is loaded from elsewhere.
import 'swagger-ui-dist/swagger-ui.css';
import './explorer.css';
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js';
import { createSession } from '../backend/session';
import { withSession } from './request';

const domNode = document.getElementById('explorer');
if (!domNode) throw new Error('docs.html has no #explorer');

const session = createSession();
SwaggerUI({
  url: '/openapi.yaml',
  domNode,
  deepLinking: true,
  docExpansion: 'list',
  filter: true,
  validatorUrl: null, // it would send the document to a server of its makers
  persistAuthorization: false,
  requestInterceptor: (request) => withSession(session, request, window.location.origin),
});
