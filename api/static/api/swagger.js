const page = document.getElementById("swagger-ui");

SwaggerUIBundle({
  url: page.dataset.schemaUrl,
  domNode: page,
  deepLinking: true,
  displayOperationId: true,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
