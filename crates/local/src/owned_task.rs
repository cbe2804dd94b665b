//! A task that does not outlive its owner.

use tokio::task::JoinHandle;

/// Aborts its task when dropped.
pub(crate) struct OwnedTask(Option<JoinHandle<()>>);

impl OwnedTask {
    pub(crate) fn new(task: JoinHandle<()>) -> Self {
        Self(Some(task))
    }

    /// Breaks the task off and waits until it is gone.
    pub(crate) async fn stop(self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
        self.finish().await;
    }

    /// Waits until the task has ended by itself.
    pub(crate) async fn finish(mut self) {
        if let Some(task) = self.0.take() {
            // An error is that it was broken off, or a panic, which has been printed then.
            let _ = task.await;
        }
    }
}

impl Drop for OwnedTask {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}
