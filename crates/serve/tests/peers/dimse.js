// dcmjs-dimse as the peer of a node: a third implementation of the protocol.
//
//     node dimse.js scu PORT FILE [AUTHORITY]   C-ECHO and C-STORE; over TLS where an authority's certificate is given
//     node dimse.js scp PORT COUNT              takes so many objects, printing `took`, SOP class and patient of each
//
// $NODE_PATH names the folder that it is installed in.
const { Client, Server, Scp, Dataset, constants, requests, responses } = require('dcmjs-dimse');
const { Status, PresentationContextResult, TransferSyntax } = constants;
const [role, port, last, authority] = process.argv.slice(2);

function fail(error) {
  console.error(error);
  process.exit(1);
}

if (role === 'scu') {
  const client = new Client();
  let left = 2;
  for (const request of [new requests.CEchoRequest(), new requests.CStoreRequest(last)]) {
    request.on('response', (response) => {
      if (response.getStatus() !== Status.Success) fail(`status ${response.getStatus()}`);
      left -= 1;
    });
    client.addRequest(request);
  }
  client.on('networkError', fail);
  client.on('associationRejected', fail);
  client.on('closed', () => process.exit(left));
  const ca = authority && require('fs').readFileSync(authority);
  const options = ca ? { securityOptions: { ca, rejectUnauthorized: true } } : {};
  client.send('127.0.0.1', Number(port), 'PEER', 'COXA', options);
} else {
  let left = Number(last);
  class Archive extends Scp {
    associationRequested(association) {
      this.association = association;
      for (const { id } of association.getPresentationContexts()) {
        const context = association.getPresentationContext(id);
        const known = context.getTransferSyntaxUids().find((uid) => uid === TransferSyntax.ExplicitVRLittleEndian);
        if (known) context.setResult(PresentationContextResult.Accept, known);
        else context.setResult(PresentationContextResult.RejectTransferSyntaxesNotSupported);
      }
      this.sendAssociationAccept();
    }
    cEchoRequest(request, callback) {
      callback(Object.assign(responses.CEchoResponse.fromRequest(request), {}));
    }
    cStoreRequest(request, callback) {
      console.log('took', request.getAffectedSopClassUid(), request.getDataset().getElement('PatientID'));
      const response = responses.CStoreResponse.fromRequest(request);
      response.setStatus(Status.Success);
      left -= 1;
      callback(response);
    }
    associationReleaseRequested() {
      this.sendAssociationReleaseResponse();
      if (left <= 0) setTimeout(() => process.exit(0), 100);
    }
  }
  const server = new Server(Archive);
  server.on('networkError', fail);
  server.listen(Number(port));
  console.log('ready');
  setTimeout(() => fail(`${left} objects did not come`), 120000).unref();
}
