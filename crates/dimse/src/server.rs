//! A service class provider: accepts associations within the policy's limits and hands commands to a handler.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::accept::{Origin, accept, nameless, refuse_for_congestion};
use crate::association::{Association, Connection, Context, Incoming, Peer};
use crate::client::{Call, Object};
use crate::command::{CommandSet, Operation, element};
use crate::commitment::MAX_BYTES;
use crate::error::DimseError;
use crate::policy::Policy;
use crate::provide::{self, Query};
use crate::refusal::{Refusal, RefusalReason};
use crate::tls::{Acceptor, fault_of};
use crate::{Status, Uid};

/// Connections beyond the associations' limit that are answered with "temporary congestion"; any more are closed at once.
const WAITING: usize = 32;

/// An object that a peer stores.
#[derive(Debug, Clone)]
pub struct StoreRequest {
    /// The SOP class.
    pub sop_class: Uid,
    /// The instance.
    pub sop_instance: Uid,
    /// The transfer syntax that the data set comes in.
    pub transfer_syntax: String,
    /// Who moves it, where a C-MOVE made the peer send it: title and message id.
    pub move_originator: Option<(String, u16)>,
}

/// What a node does with commands. Every method is called once a message, in the order of the association.
pub trait Handler: Send + Sync + 'static {
    /// Stores an object; its data set is read from `data` to the end. Success may be answered only once the object is durable.
    fn store(
        &self,
        peer: &Peer,
        request: &StoreRequest,
        data: &mut Data<'_>,
    ) -> impl Future<Output = Result<Status, DimseError>> + Send;

    /// Carries out an action (storage commitment's N-ACTION); the data set is Implicit or Explicit VR as `transfer_syntax` says.
    fn action(
        &self,
        peer: &Peer,
        command: &CommandSet,
        transfer_syntax: &str,
        data: Vec<u8>,
    ) -> impl Future<Output = Status> + Send {
        let _ = (peer, command, transfer_syntax, data);
        async { Status::UNRECOGNIZED_OPERATION }
    }

    /// Gets an event that a peer reports ([`commitment::Report::of_event`](crate::commitment::Report::of_event) reads storage
    /// commitment's); the data set is as for [`Handler::action`].
    fn event_report(
        &self,
        peer: &Peer,
        command: &CommandSet,
        transfer_syntax: &str,
        data: Vec<u8>,
    ) -> impl Future<Output = Status> + Send {
        let _ = (peer, command, transfer_syntax, data);
        async { Status::UNRECOGNIZED_OPERATION }
    }

    /// Finds what matches an identifier (C-FIND): the identifiers of the matches, in the query's transfer syntax.
    fn find(&self, peer: &Peer, query: &Query) -> impl Future<Output = Result<Vec<Vec<u8>>, Status>> + Send {
        let _ = (peer, query);
        async { Err(Status::UNRECOGNIZED_OPERATION) }
    }

    /// Lists the objects that an identifier asks for (C-GET, C-MOVE), each in the transfer syntax that [`Handler::load`] has it in.
    fn select(&self, peer: &Peer, query: &Query) -> impl Future<Output = Result<Vec<Object>, Status>> + Send {
        let _ = (peer, query);
        async { Err(Status::UNRECOGNIZED_OPERATION) }
    }

    /// Loads the data set of an object that [`Handler::select`] listed.
    fn load(&self, object: &Object) -> impl Future<Output = Result<Vec<u8>, Status>> + Send {
        let _ = object;
        async { Err(Status::NO_SUCH_INSTANCE) }
    }

    /// How the destination of a C-MOVE is called, without proposals; `None` for a title that is not known.
    fn destination(&self, title: &str) -> Option<Call> {
        let _ = title;
        None
    }

    /// Gets a refused association.
    fn refused(&self, refusal: Refusal) {
        let _ = refusal;
    }

    /// Gets the error that an association ended with.
    fn ended(&self, peer: SocketAddr, error: DimseError) {
        let _ = (peer, error);
    }
}

/// The data set of a message that arrives.
pub struct Data<'a> {
    association: &'a mut Association,
}

impl Data<'_> {
    /// The next piece, as it comes; `None` after the last.
    ///
    /// # Errors
    /// [`DimseError`] where the connection breaks, or the data set is larger than the policy allows.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, DimseError> {
        self.association.data().await
    }
}

/// A node that accepts associations.
pub struct Server<H> {
    policy: watch::Receiver<Arc<Policy>>,
    handler: Arc<H>,
    tls: Option<Acceptor>,
}

impl<H: Handler> Server<H> {
    /// A node of a policy; `tls` where every association is to be encrypted.
    pub fn new(policy: Policy, handler: H, tls: Option<Acceptor>) -> Self {
        Self::governed(watch::channel(Arc::new(policy)).1, handler, tls)
    }

    /// A node whose policy can change: each association is judged by the policy of the moment when it is opened. The number of places
    /// stays what it is at the start.
    pub fn governed(policy: watch::Receiver<Arc<Policy>>, handler: H, tls: Option<Acceptor>) -> Self {
        Self { policy, handler: Arc::new(handler), tls }
    }

    /// Accepts associations until `stop` says true; those in hand go on to their end, or for `grace`.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        mut stop: watch::Receiver<bool>,
        grace: Duration,
    ) -> std::io::Result<()> {
        let places = Arc::new(Semaphore::new(self.policy.borrow().limits.associations));
        let waiting = Arc::new(Semaphore::new(WAITING));
        let mut tasks = tokio::task::JoinSet::new();
        loop {
            let stopped = async { drop(stop.wait_for(|stop| *stop).await) };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stopped => break,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_connection(&error) => continue,
                Err(error) => {
                    // Out of descriptors: the associations in hand will give some back.
                    self.handler.ended(([0, 0, 0, 0], 0).into(), error.into());
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            // Ended tasks are taken off the set, which would grow otherwise.
            while tasks.try_join_next().is_some() {}
            let (place, turn) =
                (Arc::clone(&places).try_acquire_owned().ok(), Arc::clone(&waiting).try_acquire_owned().ok());
            let policy = Arc::clone(&self.policy.borrow());
            let worker = Worker { policy, handler: Arc::clone(&self.handler), tls: self.tls.clone() };
            match (place, turn) {
                (Some(place), _) => {
                    tasks.spawn(async move {
                        worker.serve(stream, address).await;
                        drop(place);
                    });
                }
                (None, Some(turn)) => {
                    tasks.spawn(async move {
                        worker.refuse(stream, address).await;
                        drop(turn);
                    });
                }
                (None, None) => drop(stream),
            }
        }
        let drained = async { while tasks.join_next().await.is_some() {} };
        // Those that take longer are dropped with the set, which aborts them.
        let _ = tokio::time::timeout(grace, drained).await;
        Ok(())
    }
}

/// Whether a command is of the service that its context was accepted for.
pub(crate) fn is_of(context: &Context, command: &CommandSet, class: u16) -> bool {
    command.uid(class).is_some_and(|class| class.as_str() == context.abstract_syntax)
}

/// Errors of `accept` that concern the one connection alone.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// One connection's part of a server.
struct Worker<H> {
    policy: Arc<Policy>,
    handler: Arc<H>,
    tls: Option<Acceptor>,
}

impl<H: Handler> Worker<H> {
    async fn serve(self, stream: TcpStream, address: SocketAddr) {
        let result = async {
            let (connection, origin) = self.open(stream, address).await?;
            let mut association = accept(connection, origin, &self.policy).await?;
            if let Some(refusal) = association.unsupported.take() {
                self.handler.refused(*refusal);
            }
            match self.work(&mut association).await {
                Ok(()) => Ok(()),
                Err(error) => {
                    association.abort().await;
                    Err(error)
                }
            }
        };
        self.report(address, result.await);
    }

    async fn refuse(self, stream: TcpStream, address: SocketAddr) {
        let result = async {
            let (connection, origin) = self.open(stream, address).await?;
            refuse_for_congestion(connection, origin, &self.policy).await
        };
        self.report(address, result.await.map(|_| ()));
    }

    fn report(&self, address: SocketAddr, result: Result<(), DimseError>) {
        match result {
            Ok(()) => {}
            Err(DimseError::Refused(refusal)) => self.handler.refused(*refusal),
            Err(error) => self.handler.ended(address, error),
        }
    }

    async fn open(&self, stream: TcpStream, address: SocketAddr) -> Result<(Box<dyn Connection>, Origin), DimseError> {
        // Commands are small and wait for answers.
        stream.set_nodelay(true)?;
        let since = Instant::now();
        let Some(tls) = &self.tls else {
            return Ok((Box::new(stream), Origin { address, certificate: None, since }));
        };
        let opening = self.policy.deadlines.opening;
        let late = |_| DimseError::Timeout { doing: "the TLS handshake was due", after: opening };
        let accepted = tokio::time::timeout_at(since + opening, tls.accept(stream)).await.map_err(late)?;
        let (connection, certificate) = accepted.map_err(|error| match fault_of(&error) {
            Some(fault) => DimseError::Refused(Box::new(nameless(address, RefusalReason::Handshake(fault)))),
            None => error.into(),
        })?;
        Ok((connection, Origin { address, certificate, since }))
    }

    async fn work(&self, association: &mut Association) -> Result<(), DimseError> {
        loop {
            match association.receive().await? {
                Incoming::Released => return Ok(()),
                Incoming::Command { context, command } => self.answer(association, context, command).await?,
            }
        }
    }

    async fn answer(
        &self,
        association: &mut Association,
        context: Context,
        command: CommandSet,
    ) -> Result<(), DimseError> {
        if command.is_response() {
            return Err(crate::Malformed::Unexpected("response to no request").into());
        }
        let operation = command.operation();
        if matches!(operation, Some(Operation::Find | Operation::Get | Operation::Move)) {
            return provide::answer(&*self.handler, association, &context, &command).await;
        }
        let status = match operation {
            Some(Operation::Echo) => Status::SUCCESS,
            Some(Operation::Store) => self.store(association, &context, &command).await?,
            // A permission is for a context: a command of another service may not come on it.
            Some(Operation::Action) if !is_of(&context, &command, element::REQUESTED_SOP_CLASS) => {
                Status::SOP_CLASS_NOT_SUPPORTED
            }
            Some(Operation::EventReport) if !is_of(&context, &command, element::AFFECTED_SOP_CLASS) => {
                Status::SOP_CLASS_NOT_SUPPORTED
            }
            Some(Operation::Action) => {
                let data = association.data_whole(MAX_BYTES).await?;
                self.handler.action(&association.peer, &command, &context.transfer_syntax, data).await
            }
            Some(Operation::EventReport) => {
                let data = association.data_whole(MAX_BYTES).await?;
                self.handler.event_report(&association.peer, &command, &context.transfer_syntax, data).await
            }
            // Nothing is under way that could be canceled.
            Some(Operation::Cancel) => return Ok(()),
            _ => Status::UNRECOGNIZED_OPERATION,
        };
        association.skip_data().await?;
        association.send_command(context.id, &CommandSet::response_to(&command, status)).await
    }

    async fn store(
        &self,
        association: &mut Association,
        context: &Context,
        command: &CommandSet,
    ) -> Result<Status, DimseError> {
        let Some(sop_class) = command.uid(element::AFFECTED_SOP_CLASS) else {
            return Ok(Status::SOP_CLASS_NOT_SUPPORTED);
        };
        let Some(sop_instance) = command.uid(element::AFFECTED_SOP_INSTANCE) else {
            return Ok(Status::INVALID_INSTANCE);
        };
        if sop_class.as_str() != context.abstract_syntax {
            return Ok(Status::DATA_SET_MISMATCH);
        }
        let originator = command.text(element::MOVE_ORIGINATOR).map(str::to_owned);
        let request = StoreRequest {
            sop_class,
            sop_instance,
            transfer_syntax: context.transfer_syntax.clone(),
            move_originator: originator.zip(command.u16(element::MOVE_ORIGINATOR_MESSAGE)),
        };
        let peer = association.peer.clone();
        self.handler.store(&peer, &request, &mut Data { association }).await
    }
}
